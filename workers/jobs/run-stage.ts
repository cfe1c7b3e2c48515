/** @file One stage of a job: run it, check what it made, measure that, keep it. */

import { mkdir, rm } from 'node:fs/promises';

import { Value } from 'typebox/value';

import type { StageReport } from '../../src/contract/report.ts';
import { checkModel } from '../onnx/check.ts';
import type { Model } from '../onnx/graph.ts';
import type { Budget, RunContext } from '../runtime/context.ts';
import type { StageResult } from '../stages/stage.ts';
import { bindTask } from '../tasks/registry.ts';
import type { TaskBinding } from '../tasks/task.ts';
import {
  type FinishedStage,
  findCheckpoint,
  keepCheckpoint,
  type MetricRecord,
} from './checkpoint.ts';
import type { Job } from './job.ts';
import { jobFiles } from './job-files.ts';
import { type Evaluations, evaluateSplits, measured } from './measure.ts';
import { encodeWith, type ModelFile, type Provenance } from './model-file.ts';
import { watchPeakRss } from './peak-rss.ts';
import type { PlannedStage } from './plan.ts';
import type { Tell } from './progress.ts';
import { type KeyFacts, stageKey } from './stage-key.ts';
import { LATHE, ONNXRUNTIME } from './versions.ts';

export interface StageOutcome {
  readonly file: ModelFile;
  readonly binding: TaskBinding;
  /** Without latency: that is measured by the caller. */
  readonly report: StageReport;
}

/**
 * A stage whose result is kept under the same key is not run again, and not told as started either.
 *
 * @param reference what the job's input model says of the images: agreement is measured against it
 */
export async function runStage(
  planned: PlannedStage,
  input: ModelFile,
  job: Job,
  reference: Evaluations,
): Promise<StageOutcome> {
  const budget = budgetOf(planned, job);
  const teachers = job.others.digestsFor(planned);
  const key = stageKey(planned, {
    ...keyFacts(job, input),
    ...(budget && { budget }),
    ...(teachers.length > 0 && { teachers }),
  });
  const found = await findCheckpoint(job.folder, planned.name, key);
  if (found) return job.others.made(planned.index, resumed(found, job));
  const metrics: MetricRecord[] = [];
  const metric = (record: MetricRecord) => {
    metrics.push(record);
    job.metric(record);
  };
  const outcome = await runAnew(planned, input, key, { ...job, metric }, reference);
  const checkpoint = { key, report: outcome.report, metrics };
  await keepCheckpoint(job.folder, planned.name, { checkpoint, model: outcome.file });
  await rm(jobFiles(job.folder).allUnfinished, { recursive: true, force: true });
  return job.others.made(planned.index, outcome);
}

/** What the job allows, where the stage's result depends on it. */
function budgetOf(planned: PlannedStage, { spec, ledger }: Job): Budget | undefined {
  const { stage, options } = planned;
  if (!stage.needsBudget || !Value.Check(stage.needsBudget, options)) return undefined;
  const { maxDrop, minAgreement } = spec.accept ?? {};
  return {
    ...(maxDrop !== undefined && { maxDrop }),
    ...(minAgreement !== undefined && { minAgreement }),
    ...ledger?.budgetFor(planned),
  };
}

function keyFacts({ source, binding, measuring, seed }: Job, input: ModelFile): KeyFacts {
  return {
    input: input.digest,
    jobInput: source.digest,
    task: binding.task,
    preprocess: binding.preprocess,
    dataset: measuring.dataset?.id ?? null,
    seed,
    lathe: LATHE,
    onnxruntime: ONNXRUNTIME,
    provider: measuring.provider,
  };
}

function resumed({ checkpoint, model }: FinishedStage, job: Job): StageOutcome {
  job.progress.skip(); // its run
  job.progress.skip(); // its evaluation
  for (const record of checkpoint.metrics) job.metric(record);
  const binding = rebound(model.read(), job.binding);
  return { file: model, binding, report: { ...checkpoint.report, resumed: true } };
}

async function runAnew(
  planned: PlannedStage,
  input: ModelFile,
  key: string,
  job: Job,
  reference: Evaluations,
): Promise<StageOutcome> {
  const warnings: string[] = [];
  const started = performance.now();
  const peak = watchPeakRss();
  const { model, details } = await work(planned, input, key, warnings, job);
  const file = encodeWith(model, provenance(planned, job));
  const peakRssBytes = peak();
  const seconds = Math.round(performance.now() - started) / 1000;
  const binding = rebound(file.read(), job.binding);
  const tell = job.progress.next('evaluating');
  const evaluations = await evaluateSplits(file, binding, job.measuring, tell);
  const report: StageReport = {
    stage: planned.stage.name,
    options: planned.options,
    seconds,
    peakRssBytes,
    resumed: false,
    input: input.digest,
    output: file.digest,
    after: { ...(await measured(file, binding, evaluations, reference)), speedup: null },
    details: { ...details },
    warnings: [...warnings, ...(evaluations.val?.warnings ?? [])],
  };
  return { file, binding, report };
}

function provenance({ index }: PlannedStage, { source, binding, plan, ledger }: Job): Provenance {
  const stages = plan
    .slice(0, index + 1)
    .filter((planned) => !ledger?.undone.has(planned.index))
    .map(({ stage, options }) => ({ stage: stage.name, ...options }));
  return { lathe: LATHE, input: source.digest, preprocess: binding.preprocess, stages };
}

/** The stage itself, with everything that it was promised and everything that it promises. */
async function work(
  planned: PlannedStage,
  input: ModelFile,
  key: string,
  warnings: string[],
  job: Job,
): Promise<StageResult> {
  const { index, stage, options } = planned;
  const { scratch, unfinished } = jobFiles(job.folder);
  const kept = unfinished(fileNameOf(key));
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  await mkdir(kept, { recursive: true });
  job.emit({ type: 'stage', index, stage: stage.name, status: 'running' });
  const tell = job.progress.next(stage.name);
  try {
    stage.prepare?.(input.read(), options);
    const task = rebound(input.read(), job.binding);
    const budget = budgetOf(planned, job);
    const ctx = { ...contextOf(job, task, { scratch, kept }, tell, warnings), budget };
    const result = await stage.run(input.read(), options, ctx);
    job.measuring.signal.throwIfAborted();
    checkModel(result.model);
    stage.ensures(input.read(), result.model);
    return result;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const fileNameOf = (key: string) => key.replace(/[^\w-]/g, '_');

function contextOf(
  { seed, measuring, others, emit, metric }: Job,
  task: TaskBinding,
  folders: Pick<RunContext, 'scratch' | 'kept'>,
  tell: Tell,
  warnings: string[],
): RunContext {
  const { signal, threads, provider, dataset } = measuring;
  const log = (level: 'info' | 'warn', message: string) => emit({ type: 'log', level, message });
  return {
    signal,
    seed,
    threads,
    provider,
    dataset,
    task,
    preprocess: task.preprocess,
    otherModel: (reference) => others.read(reference),
    ...folders,
    progress: (done, doing) => tell(done, doing),
    warn(message) {
      warnings.push(message);
      log('warn', message);
    },
    info: (message) => log('info', message),
    metric,
  };
}

/**
 * How the outputs of a stage's model are read: as those of the job's input, unless the stage changed the input's size.
 */
function rebound(model: Model, binding: TaskBinding): TaskBinding {
  const { input, task, preprocess, classes } = binding;
  const type = model.graph.inputs.find((v) => v.name === input?.name)?.type;
  if (!input || type?.kind !== 'tensor' || type.shape?.length !== 4) return binding;
  const [, , height, width] = input.layout === 'NCHW' ? type.shape : [0, 0, ...type.shape.slice(1)];
  const [h, w] = input.size;
  if ((typeof height !== 'number' || height === h) && (typeof width !== 'number' || width === w))
    return binding;
  return bindTask(model, { task, preprocess, classes });
}
