/** @file A job made ready: everything is read and checked before any work. */

import { mkdir, rm } from 'node:fs/promises';

import { ServiceError } from '../../src/contract/errors.ts';
import type { JobEvent } from '../../src/contract/events.ts';
import type { JobSpec } from '../../src/contract/job.ts';
import type { Dataset } from '../data/dataset.ts';
import { openDataset } from '../data/open.ts';
import { checkModel } from '../onnx/check.ts';
import { bindTask } from '../tasks/registry.ts';
import type { TaskBinding } from '../tasks/task.ts';
import type { MetricRecord } from './checkpoint.ts';
import { jobFiles } from './job-files.ts';
import type { Ledger } from './ledger.ts';
import type { Measuring } from './measure.ts';
import { MetricsFile } from './metrics-file.ts';
import { type ModelFile, openModelFile } from './model-file.ts';
import { OtherModels } from './other-models.ts';
import { checkData, type PlannedStage, planStages } from './plan.ts';
import { type Phase, Progress } from './progress.ts';

export interface RunJobInput {
  /** Everything is written here and nowhere else; a second run in the same folder resumes. */
  readonly folder: string;
  readonly spec: JobSpec;
  /** Path of the input model. */
  readonly model: string;
  /** Paths of other models, by the references of the spec: teachers. */
  readonly models?: Readonly<Record<string, string>> | undefined;
  /** Path of the data set: data.yaml or a folder. */
  readonly dataset?: string | undefined;
  /** Digest of the data set where it is known: its files are then not hashed again. */
  readonly datasetId?: string | undefined;
  /** The data set comes from an archive: nothing outside its folder is read. */
  readonly confined?: boolean | undefined;
  /** File name of the input model, for people. */
  readonly name?: string | undefined;
  readonly jobId?: string | undefined;
  /** The command that repeats the job, for the report. */
  readonly command?: string | undefined;
  /** Intra-op threads for computing; default 1. */
  readonly threads?: number | undefined;
  readonly provider?: string | undefined;
  onEvent(event: JobEvent): void;
  readonly signal: AbortSignal;
}

export interface Job {
  readonly folder: string;
  readonly spec: JobSpec;
  readonly seed: number;
  readonly plan: readonly PlannedStage[];
  /** The input model, and how its outputs are read. */
  readonly source: ModelFile;
  readonly binding: TaskBinding;
  readonly measuring: Measuring;
  /** Models beside the one that goes from stage to stage. */
  readonly others: OtherModels;
  /** Where `accept.maxDrop` is shared out among several stages. */
  readonly ledger?: Ledger | undefined;
  readonly progress: Progress;
  readonly emit: (event: JobEvent) => void;
  /** One line of metrics.jsonl, and an event. */
  readonly metric: (record: MetricRecord) => void;
  readonly startedAt: Date;
}

/** @throws what is wrong with the spec, the model or the data set, by its own code */
export async function prepareJob(input: RunJobInput): Promise<Job> {
  const { folder, spec, onEvent: emit } = input;
  const startedAt = new Date();
  const plan = planStages(spec.stages);
  const dataset = await openJobDataset(input);
  checkData(plan, spec.accept, dataset);
  const source = await openModelFile(input.model);
  const model = source.read();
  checkModel(model);
  const { task, preprocess } = spec;
  const binding = bindTask(model, { task, preprocess, classes: dataset?.classes });
  checkClasses(binding, dataset);
  const others = await OtherModels.open(plan, source, input);
  const [first] = plan;
  first?.stage.prepare?.(model, first.options);
  await cleanFolder(folder);
  const metrics = new MetricsFile(jobFiles(folder).metrics);
  const metric = (record: MetricRecord) => {
    metrics.add(record);
    emit({ type: 'metric', ...record });
  };
  return {
    folder,
    spec,
    seed: spec.seed ?? 0,
    plan,
    source,
    binding,
    measuring: measuringOf(input, dataset),
    others,
    progress: new Progress(phases(plan, dataset), emit),
    emit,
    metric,
    startedAt,
  };
}

async function openJobDataset(input: RunJobInput): Promise<Dataset | undefined> {
  const { dataset, datasetId, confined } = input;
  if (dataset === undefined) return undefined;
  return openDataset(dataset, {
    ...(datasetId !== undefined && { id: datasetId }),
    ...(confined !== undefined && { confined }),
  });
}

/** Labels can only be compared where both sides count the same classes. */
function checkClasses({ task, classes }: TaskBinding, dataset: Dataset | undefined): void {
  if (!classes || !dataset?.classes || dataset.task !== task) return;
  const [model, labels] = [classes.length, dataset.classes.length];
  if (model !== labels) throw new ServiceError('CLASSES_DIFFER', { model, dataset: labels });
}

/** Leftovers of a run that was killed; finished stages stay. */
async function cleanFolder(folder: string): Promise<void> {
  const files = jobFiles(folder);
  await mkdir(files.stages, { recursive: true });
  for (const path of [files.model, files.report, files.html, files.scratch])
    await rm(path, { recursive: true, force: true });
}

function measuringOf(input: RunJobInput, dataset: Dataset | undefined): Measuring {
  const { spec, threads = 1, provider = 'cpu', signal } = input;
  return { dataset, threads, latencyThreads: spec.latency?.threads ?? 1, provider, signal };
}

/** Expected inferences: an evaluation takes one per image, a latency measurement 70 of each model. */
function phases(plan: readonly PlannedStage[], dataset: Dataset | undefined): Phase[] {
  const { val = [], test = [], train = [] } = dataset?.splits ?? {};
  const evaluation = val.length + test.length;
  const ofStage = ({ index, stage }: PlannedStage): Phase[] => [
    { index, weight: stage.needsImages ? 60 + 3 * Math.min(128, train.length) : 20 },
    { index, weight: evaluation },
    { index, weight: 140 },
  ];
  return [
    { index: null, weight: 5 + evaluation },
    ...plan.flatMap(ofStage),
    { index: null, weight: 20 },
  ];
}
