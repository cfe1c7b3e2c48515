/**
 * @file What does pruning without training cost, from labels and from images alone? Accuracy lost, agreement and time, by share of MACs.
 *
 *     npm run bench -- prune-bars MODEL.onnx DATA [--shares 0.9,0.8,0.7] [--from labels,images] [--threads 1] [--seeds 0] [--options JSON]
 *
 * Calibrated on the train split, judged on val (and test, where there is one). `images`: the labels of the train split are thrown away
 * before the stage sees it. `--options`: further options of the stage, such as '{"rounds": 1}'.
 */

import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';

import { table } from '../cli/table.ts';
import type { Dataset, Sample } from '../workers/data/dataset.ts';
import { openDataset } from '../workers/data/open.ts';
import { agreement } from '../workers/evaluation/agreement.ts';
import { evaluate } from '../workers/evaluation/evaluate.ts';
import { planStages } from '../workers/jobs/plan.ts';
import { readModel } from '../workers/onnx/read.ts';
import * as format from '../workers/report/format.ts';
import { bindTask } from '../workers/tasks/registry.ts';
import type { Evaluation } from '../workers/tasks/task.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    shares: { type: 'string', default: '0.9,0.8,0.7' },
    from: { type: 'string', default: 'labels,images' },
    threads: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '0' },
    options: { type: 'string', default: '{}' },
  },
});
const [modelFile, dataPath] = positionals;
if (!modelFile || !dataPath) {
  console.error('usage: prune-bars MODEL.onnx DATA [--shares S] [--from labels,images]');
  process.exit(2);
}

const threads = Number(values.threads);
const original = readFileSync(modelFile);
const dataset = await openDataset(dataPath);
const task = bindTask(readModel(original), { classes: dataset.classes });
const splits = (['val', 'test'] as const).filter((s) => dataset.splits[s].length > 0);

const judge = (model: Parameters<typeof evaluate>[0]) =>
  Promise.all(splits.map((split) => evaluate(model, task, dataset.splits[split], { threads })));

const withoutLabels = ({ boxes: _, label: __, ...sample }: Sample): Sample => sample;

const calibrated = (from: string): Dataset =>
  from === 'labels'
    ? dataset
    : {
        ...dataset,
        splits: { ...dataset.splits, train: dataset.splits.train.map(withoutLabels) },
      };

async function prune(share: number, from: string, seed: number) {
  const more = JSON.parse(values.options) as Record<string, unknown>;
  const spec = { stage: 'prune', target: { macs: share }, ...more };
  const [planned] = planStages([spec]);
  const started = performance.now();
  const { model, details } = await planned!.stage.run(readModel(original), planned!.options, {
    signal: new AbortController().signal,
    ...{ seed, threads, provider: 'cpu', task, preprocess: task.preprocess, scratch: tmpdir() },
    dataset: calibrated(from),
    otherModel: () => Promise.reject(new Error('prune needs no other model')),
    ...{ progress: () => {}, warn: console.error, info: () => {}, metric: () => {} },
  });
  return { model, details, seconds: (performance.now() - started) / 1000 };
}

const scoreOf = ({ metrics }: Evaluation) => metrics[task.headline];

const whole = await judge(original);
const lost = (found: Evaluation, i: number): string[] => {
  const [was, is] = [scoreOf(whole[i]!), scoreOf(found)];
  const close = format.score(agreement(whole[i]!, found, task));
  return is === undefined ? ['–', '–', close] : [is.toFixed(4), (was! - is).toFixed(4), close];
};
const rows = [
  [
    ...['MACs', 'from', 'seed', 'kept'],
    ...splits.flatMap((split) => [`${task.headline} ${split}`, 'drop', 'agreement']),
    ...['rounds', 'time'],
  ],
];
for (const from of values.from.split(','))
  for (const share of values.shares.split(',').map(Number))
    for (const seed of values.seeds.split(',').map(Number)) {
      const { model, details, seconds } = await prune(share, from, seed);
      const { shares, rounds, gradientsFrom } = details as {
        shares: { macs: number };
        rounds: readonly unknown[];
        gradientsFrom: string;
      };
      rows.push([
        ...[String(share), gradientsFrom, String(seed), shares.macs.toFixed(4)],
        ...(await judge(model)).flatMap(lost),
        ...[String(rounds.length), format.seconds(seconds)],
      ]);
      console.error(rows.at(-1)!.join('  '));
    }
console.log(table(rows));
