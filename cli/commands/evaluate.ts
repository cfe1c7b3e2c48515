import { availableParallelism } from 'node:os';

import { ServiceError } from '../../src/contract/errors.ts';
import { loadModel } from '../../workers/data/load-model.ts';
import { openDataset } from '../../workers/data/open.ts';
import { agreement } from '../../workers/evaluation/agreement.ts';
import { evaluate as evaluateModel } from '../../workers/evaluation/evaluate.ts';
import { outputSqnr } from '../../workers/evaluation/sqnr.ts';
import { checkModel } from '../../workers/onnx/check.ts';
import { readModel } from '../../workers/onnx/read.ts';
import * as format from '../../workers/report/format.ts';
import { bindTask } from '../../workers/tasks/registry.ts';
import type { CliCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../failure.ts';
import type { Io } from '../io.ts';
import { table } from '../table.ts';
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
    const split = SPLITS.find((s) => s === options['split']);
    if (!split)
      throw new UsageError(`--split: '${options['split']}' is none of ${SPLITS.join(', ')}.`);
    const dataset = await openDataset(String(options['data']));
    const samples = dataset.splits[split];
    if (samples.length === 0)
      throw new ServiceError('DATASET_INVALID', {
        where: `split '${split}'`,
        why: 'it has no images',
      });
    const threads = threadsOf(options['threads']);
    const load = async (path: string) => {
      const bytes = (await loadModel(path)).bytes;
      const model = readModel(bytes);
      checkModel(model);
      const binding = bindTask(model, {
        ...taskOf(options),
        ...preprocessOf(options),
        ...(dataset.classes && { classes: dataset.classes }),
      });
      return { bytes, binding };
    };
    const own = await load(file!);
    const see = ({ bytes, binding }: typeof own, what: string) =>
      evaluateModel(bytes, binding, samples, {
        threads,
        onProgress: (done, total) => io.progress(done / total, what),
      });
    const result = await see(own, 'evaluating');
    const compared =
      options['against'] === undefined ? undefined : await compare(String(options['against']));

    async function compare(path: string) {
      const other = await load(path);
      const reference = await see(other, 'evaluating the other model');
      const sqnr = await outputSqnr(other.bytes, own.bytes, own.binding, samples, { threads });
      return {
        agreement: agreement(reference, result, own.binding),
        sqnr: sqnr.map((s) => ({ ...s, db: Number.isFinite(s.db) ? s.db : null })),
      };
    }
    const document = {
      task: own.binding.task,
      split,
      images: result.images,
      metrics: { ...result.metrics, ...(compared && { agreement: compared.agreement }) },
      perClass: result.perClass ?? [],
      ...(compared && { sqnr: compared.sqnr }),
      warnings: [...dataset.warnings, ...result.warnings],
    };
    show(document, io);
    return EXIT.done;
  },
};

interface Shown {
  readonly task: string;
  readonly split: string;
  readonly images: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly perClass: readonly {
    readonly name: string;
    readonly labels: number;
    readonly metrics: Readonly<Record<string, number | null>>;
  }[];
  readonly sqnr?: readonly {
    readonly output: string;
    readonly part: string;
    readonly db: number | null;
  }[];
  readonly warnings: readonly string[];
}

function show(document: Shown, io: Io): void {
  const { task, split, images, metrics, perClass, sqnr = [], warnings } = document;
  const lines = [
    `${task}, ${images} images of ${split}`,
    table(Object.entries(metrics).map(([k, v]) => [format.metricName(k), format.score(v)])),
  ];
  const counted = perClass.filter((c) => c.labels > 0);
  const keys = Object.keys(counted[0]?.metrics ?? {});
  if (keys.length > 0) {
    const rows = counted.map((c) => [
      c.name,
      String(c.labels),
      ...keys.map((k) => (typeof c.metrics[k] === 'number' ? format.score(c.metrics[k]) : '–')),
    ]);
    lines.push('', table([['class', 'labels', ...keys.map(format.metricName)], ...rows]));
  }
  if (sqnr.length > 0)
    lines.push(
      '',
      table(
        sqnr.map((s) => [
          `SQNR of ${s.output}${s.part ? ` (${s.part})` : ''}`,
          s.db === null ? '– equal' : `${s.db.toFixed(1)} dB`,
        ]),
      ),
    );
  io.result(document, lines.join('\n'));
  for (const warning of warnings) io.note(`warning: ${warning}`);
}

function taskOf({ task }: Readonly<Record<string, unknown>>) {
  if (task === undefined) return {};
  if (task === 'detect' || task === 'classify' || task === 'generic') return { task } as const;
  throw new UsageError(`--task: '${task}' is none of detect, classify, generic.`);
}

function preprocessOf({ preprocess }: Readonly<Record<string, unknown>>) {
  if (preprocess === undefined) return {};
  try {
    return { preprocess: JSON.parse(String(preprocess)) as object };
  } catch {
    throw new UsageError(`--preprocess: '${preprocess}' is not JSON.`);
  }
}
