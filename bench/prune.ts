/**
 * @file What is left of the accuracy at each cost? Every criterion and search, beside Torch-Pruning, in one run.
 *
 *     npm run bench -- prune MODEL.onnx DATA [--targets 0.9,0.8] [--criteria fisher,l2] [--searches greedy] [--compensate patches,false]
 *                            [--gradients auto] [--images 128] [--minutes 60] [--peer-rows taylor:uniform,l2:global]
 *
 * Each row is one one-shot pruning judged by the same evaluator on val: its share of the MACs, its metric, the drop. Without a list
 * all criteria run with the first search, and all searches with the first criterion. After --minutes no new row begins. With
 * PEER_PYTHON and PEER_SCRIPTS set (a folder with torch_prune.py) the peer's rows follow, as the peer itself judges them. The last
 * line is JSON.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { table } from '../cli/table.ts';
import { openDataset } from '../workers/data/open.ts';
import { evaluate } from '../workers/evaluation/evaluate.ts';
import { readModel } from '../workers/onnx/read.ts';
import { CRITERIA } from '../workers/pruning/criteria/registry.ts';
import { SEARCHES } from '../workers/pruning/search/registry.ts';
import * as format from '../workers/report/format.ts';
import { runJob } from '../workers/run-job.ts';
import { bindTask } from '../workers/tasks/registry.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    targets: { type: 'string', default: '0.9,0.8,0.7' },
    criteria: { type: 'string' },
    searches: { type: 'string' },
    compensate: { type: 'string', default: 'patches' },
    gradients: { type: 'string', default: 'auto' },
    images: { type: 'string', default: '128' },
    minutes: { type: 'string', default: '60' },
    'peer-rows': { type: 'string', default: 'taylor:uniform,taylor:global,lamp:global,l2:uniform' },
  },
});
const [modelFile, dataPath] = positionals;
if (!modelFile || !dataPath) {
  console.error(
    'usage: prune MODEL.onnx DATA [--targets 0.9,0.8] [--criteria A,B] [--searches A,B]',
  );
  process.exit(2);
}

/** One point of a curve. */
interface Row {
  readonly tool: 'lathe' | 'torch-pruning';
  readonly method: string;
  readonly target: number;
  readonly macs: number;
  readonly metric: number;
  readonly seconds: number;
}

/** What is asked of our side. */
interface Asked {
  readonly criterion: string;
  readonly search: string;
  readonly compensate: string;
}

const folder = mkdtempSync(join(tmpdir(), 'lathe-bench-'));
const dataset = await openDataset(dataPath);
const original = readFileSync(modelFile);
const binding = bindTask(readModel(original), { classes: dataset.classes });
const metricOf = async (bytes: Uint8Array) =>
  (await evaluate(bytes, binding, dataset.splits.val)).metrics[binding.headline] ?? 0;
const targets = values.targets.split(',').map(Number);
const before = await metricOf(original);

/** The first of either list with all of the other, or all that were asked for with each other. */
function combinations(): Asked[] {
  const [criteria, searches] = [Object.keys(CRITERIA), Object.keys(SEARCHES)];
  const asked = [values.criteria?.split(','), values.searches?.split(',')] as const;
  const pairs =
    asked[0] || asked[1]
      ? (asked[0] ?? criteria.slice(0, 1)).flatMap((criterion) =>
          (asked[1] ?? searches.slice(0, 1)).map((search) => ({ criterion, search })),
        )
      : [
          ...criteria.map((criterion) => ({ criterion, search: searches[0]! })),
          ...searches.slice(1).map((search) => ({ criterion: criteria[0]!, search })),
        ];
  return values.compensate
    .split(',')
    .flatMap((compensate) => pairs.map((pair) => ({ ...pair, compensate })));
}

async function ours(asked: Asked, target: number): Promise<Row> {
  const out = mkdtempSync(join(folder, 'row-'));
  const compensate = asked.compensate === 'false' ? false : asked.compensate;
  const stage = {
    ...{ stage: 'prune', ...asked, compensate, target: { macs: target } },
    ...{ gradientsFrom: values.gradients, images: Number(values.images) },
  };
  const { report } = await runJob({
    folder: out,
    spec: { stages: [stage] },
    model: resolve(modelFile!),
    dataset: resolve(dataPath!),
    onEvent: () => {},
    signal: new AbortController().signal,
  });
  const [made] = report.stages;
  const { shares } = made!.details as { shares: { macs: number } };
  return {
    tool: 'lathe',
    method: `${asked.criterion} ${asked.search}${compensate ? ` + ${compensate}` : ''}`,
    ...{ target, macs: shares.macs, seconds: made!.seconds },
    metric: await metricOf(readFileSync(join(out, 'model.onnx'))),
  };
}

/** One line of the peer's file. */
interface PeerLine {
  readonly kind: string;
  readonly scope: string;
  readonly target: number;
  readonly macs_cut: number;
  readonly prune_s: number;
  readonly error?: string;
  /** Per set of images. */
  readonly eval: Readonly<Record<string, { readonly map: number }>>;
}

/** The peer prunes its own copy of the model, and judges it itself. */
function peers(): Row[] {
  const [python, scripts] = [process.env['PEER_PYTHON'], process.env['PEER_SCRIPTS']];
  if (!python || !scripts) return [];
  const out = join(folder, 'peer.jsonl');
  const cut = targets.map((t) => String(Math.round(100 * (1 - t)))).join(',');
  const size = ['--size', String(binding.inputSize[0])];
  const asked = [
    '--rows',
    values['peer-rows'],
    '--targets',
    cut,
    '--cache',
    join(folder, 'grads.pt'),
  ];
  const args = [join(scripts, 'torch_prune.py'), ...size, ...asked, '--out', out];
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  spawnSync(python, args, { stdio: ['ignore', 2, 2], env });
  if (!existsSync(out)) return [];
  const lines = readFileSync(out, 'utf8').trim().split('\n');
  return lines
    .map((line) => JSON.parse(line) as PeerLine)
    .filter(({ error }) => error === undefined)
    .map((line) => ({
      tool: 'torch-pruning',
      method: `${line.kind} ${line.scope}`,
      ...{ target: 1 - line.target, macs: 1 - line.macs_cut, seconds: line.prune_s },
      metric: Object.values(line.eval)[0]!.map,
    }));
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

const cells = (row: Row) => [
  row.tool,
  row.method,
  percent(row.target),
  percent(row.macs),
  format.score(row.metric),
  format.score(before - row.metric),
  format.seconds(row.seconds),
];

const begun = performance.now();
const inTime = () => performance.now() - begun < 60_000 * Number(values.minutes);
const rows: Row[] = [];
for (const asked of combinations())
  for (const target of targets) {
    if (!inTime()) continue;
    const row = await ours(asked, target);
    console.error(cells(row).join('  '));
    rows.push(row);
  }
if (inTime()) rows.push(...peers());
const head = [
  'tool',
  'method',
  'target',
  'MACs',
  format.metricName(binding.headline),
  'drop',
  'time',
];
console.log(table([head, ...rows.map(cells)]));
console.log(JSON.stringify({ metric: binding.headline, before, rows }));
rmSync(folder, { recursive: true, force: true });
