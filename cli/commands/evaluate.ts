import { availableParallelism } from 'node:os';

import { ServiceError } from '../../src/contract/errors.ts';
import { PreprocessOption } from '../../src/contract/preprocess.ts';
import { schemaErrors } from '../../src/contract/schema-errors.ts';
import type { Dataset, Sample } from '../../workers/data/dataset.ts';
import { loadModel } from '../../workers/data/load-model.ts';
import { openDataset } from '../../workers/data/open.ts';
import { agreement } from '../../workers/evaluation/agreement.ts';
import { evaluate as evaluateModel } from '../../workers/evaluation/evaluate.ts';
import { outputSqnr } from '../../workers/evaluation/sqnr.ts';
import { checkModel } from '../../workers/onnx/check.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { bindTask } from '../../workers/tasks/registry.ts';
import type { Evaluation, TaskBinding } from '../../workers/tasks/task.ts';
import type { CliCommand } from '../command.ts';
import { evaluationText, type Shown } from '../evaluation-text.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../failure.ts';
import type { Io } from '../io.ts';
import { threadsOf } from './run.ts';

const SPLITS = ['train', 'val', 'test'] as const;

export const evaluate: CliCommand = {
  summary:
    'how good a model is: mAP50-95 or top-1, per class; with --against, its agreement with another model',
  arguments: '<model>',
  options: (command) =>
    command
      .requiredOption('--data <path>', 'a data.yaml, class folders or a folder of images')
      .option('--split <name>', 'train, val or test', 'val')
      .option(
        '--against <model>',
        'also compare with this model: agreement and SQNR of every output',
      )
      .option(
        '--task <name>',
        'detect, classify or generic; default: what the model is found to be',
      )
      .option('--preprocess <json>', 'parts of the preprocessing, as in a job spec')
      .option('--threads <n>', 'threads', String(availableParallelism())),
  async run([file], options, io) {
    const split = splitOf(options);
    const dataset = await openDataset(String(options['data']));
    const at = { dataset, samples: samplesOf(dataset, split), options, io };
    const own = await evaluated(file!, 'evaluating', at);
    const against = options['against'];
    const compared = against === undefined ? undefined : await compare(own, String(against), at);
    const { result, binding } = own;
    const document: Shown = {
      task: binding.task,
      split,
      images: result.images,
      metrics: { ...result.metrics, ...(compared && { agreement: compared.agreement }) },
      perClass: result.perClass ?? [],
      ...(compared && { sqnr: compared.sqnr }),
      warnings: [...dataset.warnings, ...result.warnings],
    };
    io.result(document, evaluationText(document));
    for (const warning of document.warnings) io.note(`warning: ${warning}`);
    return EXIT.done;
  },
};

interface Setting {
  readonly dataset: Dataset;
  readonly samples: readonly Sample[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly io: Io;
}

interface Evaluated {
  readonly bytes: Uint8Array;
  readonly binding: TaskBinding;
  readonly result: Evaluation;
}

async function evaluated(path: string, doing: string, at: Setting): Promise<Evaluated> {
  const { dataset, samples, options, io } = at;
  const { bytes } = await loadModel(path);
  const model = readModel(bytes);
  checkModel(model);
  const binding = bindTask(model, {
    ...taskOf(options),
    ...preprocessOf(options),
    ...(dataset.classes && { classes: dataset.classes }),
  });
  const result = await evaluateModel(bytes, binding, samples, {
    threads: threadsOf(options['threads']),
    onProgress: (done, total) => io.progress(done / total, doing),
  });
  return { bytes, binding, result };
}

/** Agreement with another model, and the SQNR of every output; an output that is equal has no ratio. */
async function compare(own: Evaluated, path: string, at: Setting) {
  const other = await evaluated(path, 'evaluating the other model', at);
  const threads = threadsOf(at.options['threads']);
  const sqnr = await outputSqnr(other.bytes, own.bytes, own.binding, at.samples, { threads });
  return {
    agreement: agreement(other.result, own.result, own.binding),
    sqnr: sqnr.map((s) => ({ ...s, db: Number.isFinite(s.db) ? s.db : null })),
  };
}

function splitOf({ split }: Readonly<Record<string, unknown>>): (typeof SPLITS)[number] {
  const found = SPLITS.find((s) => s === split);
  if (!found) throw new UsageError(`--split: '${split}' is none of ${SPLITS.join(', ')}.`);
  return found;
}

function samplesOf({ splits }: Dataset, split: (typeof SPLITS)[number]): readonly Sample[] {
  const samples = splits[split];
  if (samples.length > 0) return samples;
  throw new ServiceError('DATASET_INVALID', {
    where: `split '${split}'`,
    why: 'it has no images',
  });
}

function taskOf({ task }: Readonly<Record<string, unknown>>) {
  if (task === undefined) return {};
  if (task === 'detect' || task === 'classify' || task === 'generic') return { task } as const;
  throw new UsageError(`--task: '${task}' is none of detect, classify, generic.`);
}

function preprocessOf({ preprocess }: Readonly<Record<string, unknown>>) {
  if (preprocess === undefined) return {};
  let given: object;
  try {
    given = JSON.parse(String(preprocess)) as object;
  } catch {
    throw new UsageError(`--preprocess: '${preprocess}' is not JSON.`);
  }
  const [fault] = schemaErrors(PreprocessOption, given);
  if (fault)
    throw new UsageError(`--preprocess: ${fault.pointer} ${fault.detail}.`.replace('  ', ' '));
  return { preprocess: given };
}
