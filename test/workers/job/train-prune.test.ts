/** @file The demo model through the stages that change what it learned, in one whole job: prune, then finetune. */

import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Report } from '../../../src/contract/report.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { runJob } from '../../../workers/run-job.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
/** Of each split, in name order. */
const IMAGES = { train: 10, val: 4, test: 2 };
/** A quarter of the pixels: what is asked here does not depend on the size. */
const SMALL = { stage: 'simplify', inputShape: { images: [1, 3, 160, 160] } };
const STAGES = [
  SMALL,
  {
    stage: 'prune',
    target: { macs: 0.9 },
    images: 8,
    finetune: { steps: 1, batch: 4, batchNorm: 'insert' },
  },
  { stage: 'finetune', steps: 3, batch: 8 },
];

let root: string;
let report: Report;
const out = (...names: string[]) => join(root, 'out', ...names);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lathe-train-prune-'));
  ({ report } = await runJob({
    folder: out(),
    spec: { stages: STAGES },
    model: join(EXAMPLES, 'bccd_yolov8n_320.onnx'),
    dataset: await fewImages(join(root, 'data')),
    onEvent: () => {},
    signal: new AbortController().signal,
  }));
}, 300_000);

afterAll(() => rm(root, { recursive: true, force: true }));

async function fewImages(data: string): Promise<string> {
  await mkdir(data, { recursive: true });
  await cp(join(EXAMPLES, 'bccd/data.yaml'), join(data, 'data.yaml'));
  for (const [split, count] of Object.entries(IMAGES))
    for (const kind of ['images', 'labels']) {
      const from = join(EXAMPLES, 'bccd', kind, split);
      const files = (await readdir(from)).sort().slice(0, count);
      for (const file of files) await cp(join(from, file), join(data, kind, split, file));
    }
  return join(data, 'data.yaml');
}

interface CutGroup {
  readonly tensors: readonly { name: string; axis: number; size: number; kept: number[] }[];
  readonly reason: string;
}

test('prune keeps at most the target, and at least 0.02 less', () => {
  const [before, { after, details }] = [report.stages[0]!.after, report.stages[1]!];
  const share = after.macs / before.macs;
  expect(share).toBeLessThanOrEqual(0.9);
  expect(share).toBeGreaterThanOrEqual(0.88);
  expect(details['shares']).toMatchObject({ macs: share });
});

test('prune: the groups of the report are what is left in the file', async () => {
  const groups = report.stages[1]!.details['groups'] as readonly CutGroup[];
  const { graph } = readModel(await readFile(out('stages/02-prune.onnx')));
  const makers = new Map(graph.nodes.map((node) => [node.outputs[0]?.name, node]));
  let convs = 0;
  for (const { tensors, reason } of groups) {
    expect(reason).toMatch(/\d+ of \d+ channels of .* stay/);
    for (const { name, axis, size, kept } of tensors) {
      expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
      expect(kept.length).toBeLessThan(size);
      const maker = makers.get(name);
      if (maker?.op !== 'Conv') continue;
      convs++;
      expect(axis).toBe(1);
      expect(maker.inputs[1]!.constant!.dims[0], name).toBe(kept.length);
    }
  }
  expect(convs).toBeGreaterThan(0);
});

test('prune: training after a round is told in the report, on its page and in metrics.jsonl', async () => {
  const [round, ...others] = report.stages[1]!.details['rounds'] as readonly Record<
    string,
    unknown
  >[];
  expect(others).toEqual([]);
  expect(round).toMatchObject({ training: { steps: 1, curve: [{ step: 1 }] } });
  expect(await readFile(out('report.html'), 'utf8')).toMatch(/Round 1<.*Trained 1 steps/s);
  const own = (await metrics()).filter((r) => r['round'] === 1);
  expect(own.map((r) => r['at'])).toEqual(['train', 'tune']);
});

const metrics = async () =>
  (await readFile(out('metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number | string>);

test('finetune tells each step in metrics.jsonl and each judgement', async () => {
  const records = await metrics();
  const own = records.slice(records.findIndex((r) => r['at'] === 'stage 2'));
  const steps = own.filter((r) => r['at'] === 'train');
  expect(steps.map((r) => r['step'])).toEqual([1, 2, 3]);
  for (const { loss, gradientNorm, lr } of steps)
    for (const x of [loss, gradientNorm, lr]) expect(x).toBeGreaterThan(0);
  const judged = own.filter((r) => r['at'] === 'tune');
  expect(judged.map((r) => [r['step'], r['metric']])).toEqual([
    [1, 'map50_95'],
    [2, 'map50_95'],
    [3, 'map50_95'],
  ]);
});

test('finetune: the curve is in the report and in its page; the model of the stage is kept', async () => {
  const { details, output } = report.stages[2]!;
  expect(details).toMatchObject({
    loss: 'task-aligned',
    metric: 'map50_95',
    steps: 3,
    images: { fit: 8, tune: 2 },
    curve: [{ step: 1 }, { step: 2 }, { step: 3 }],
  });
  expect(await readdir(out('stages'))).toContain('03-finetune.onnx');
  expect(output).toBe(report.output);
  const page = await readFile(out('report.html'), 'utf8');
  expect(page).toMatch(/Trained 3 steps .* on the tune images/);
  expect(page).toContain('Over the run');
});
