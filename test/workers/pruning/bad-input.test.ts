/** @file What `prune` is given wrongly, and graphs with a catch: each is refused in words, or pruned soundly. */

import { expect, test } from 'vitest';
import type { Model } from '../../../workers/onnx/graph.ts';
import { prepareForPruning } from '../../../workers/pruning/coupling/prepare.ts';
import { maskModel } from '../../../workers/pruning/cut/mask.ts';
import { pruneModel } from '../../../workers/pruning/prune-model.ts';
import type { PruneContext, PruneSettings } from '../../../workers/pruning/settings.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { prune as stage } from '../../../workers/stages/prune.ts';
import type { TaskBinding } from '../../../workers/tasks/task.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const settings: PruneSettings = {
  ...{ criterion: 'l2', normalization: 'group', gradientsFrom: 'auto', search: 'greedy' },
  ...{ compensate: false, rounds: 'auto', protect: [], multipleOf: 'auto', granularity: 'channel' },
  target: { resource: 'macs', share: 0.7 },
};
const ctx: PruneContext = {
  binding: { task: 'generic' } as TaskBinding,
  ...{ samples: [], tune: [], fileBytes: 1e6, seed: 1, threads: 1, provider: 'cpu' },
  signal: new AbortController().signal,
  progress: () => {},
};
const prune = (model: Model, change: Partial<PruneSettings> = {}) =>
  pruneModel(model, { ...settings, ...change }, ctx);

const A = randomWeight([32, 3, 3, 3], 1, 0.3);
const B = randomWeight([32, 32, 3, 3], 2, 0.1);
const C = randomWeight([4, 32, 1, 1], 3, 0.3);
const PADS = 'pads=[1, 1, 1, 1]';

const SOUND: Record<string, () => Model> = {
  'a weight that two layers share': () =>
    modelOf(
      `(float[1,3,16,16] X, float[32,3,3,3] A, float[32,32,3,3] B, float[4,32,1,1] C) => (float[1,4,16,16] Y) {
        H = Conv<${PADS}>(X, A)
        h = Relu(H)
        P = Conv<${PADS}>(h, B)
        p = Relu(P)
        Q = Conv<${PADS}>(p, B)
        Y = Conv(Q, C) }`,
      { A, B, C },
    ),
  'an output that is a feature map': () =>
    modelOf(
      `(float[1,3,16,16] X, float[32,3,3,3] A, float[32,32,3,3] B, float[4,32,1,1] C) => (float[1,32,16,16] h, float[1,4,16,16] Y) {
        H = Conv<${PADS}>(X, A)
        h = Relu(H)
        P = Conv<${PADS}>(h, B)
        Y = Conv(P, C) }`,
      { A, B, C },
    ),
};

test('a batch of any size: the input is named, and how to fix it', async () => {
  const open = modelOf(
    `(float[N,3,16,16] X, float[32,3,3,3] A, float[4,32,1,1] C) => (float[N,4,16,16] Y) {
      H = Conv<${PADS}>(X, A)
      Y = Conv(H, C) }`,
    { A, C },
  );
  await expect(prune(open)).rejects.toMatchObject({
    code: 'SHAPE_UNKNOWN',
    message: expect.stringMatching(/'X'.*\[N, 3, 16, 16\].*inputShape/),
  });
});

test.each(Object.entries(SOUND))('%s: pruned soundly', async (_, build) => {
  const original = await prepareForPruning(build());

  const { model, groups, shares } = await prune(build());

  expect(shares.macs).toBeLessThanOrEqual(0.7);
  expect(model.graph.outputs.map(({ name, type }) => [name, type])).toEqual(
    original.graph.outputs.map(({ name, type }) => [name, type]),
  );
  const feeds = randomInputs(original, 3);
  const [masked, cut] = [
    await answers(maskModel(original, groups), feeds),
    await answers(model, feeds),
  ];
  expect(masked.length).toBe(cut.length);
  const scale = Math.max(...masked.map(Math.abs));
  for (const [i, y] of cut.entries()) expect(Math.abs(y - masked[i]!)).toBeLessThan(1e-4 * scale);
});

test('only the layer that makes the output stays whole', async () => {
  const { groups, refused } = await prune(SOUND['an output that is a feature map']!());

  const cut = new Set(groups.flatMap(({ tensors }) => tensors.map(({ name }) => name)));
  expect([...cut]).toEqual(['P']);
  expect(refused.map(({ tensor }) => tensor)).toContain('H');
});

test('a model without anything to cut: nothing less can be had', async () => {
  const model = modelOf(
    '(float[1,3,8,8] X, float[4,3,1,1] W) => (float[1,4,8,8] Y) { Y = Conv(X, W) }',
    { W: randomWeight([4, 3, 1, 1], 1) },
  );
  await expect(prune(model)).rejects.toMatchObject({
    code: 'PRUNING_IMPOSSIBLE',
    facts: { resource: 'macs', wanted: expect.closeTo(0.7), least: 1 },
    message: expect.stringMatching(/1 is the nearest/),
  });
});

test('labels that are asked for have to be there', async () => {
  const wanted = { criterion: 'fisher', gradientsFrom: 'labels' } as const;
  await expect(prune(SOUND['an output that is a feature map']!(), wanted)).rejects.toMatchObject({
    code: 'LOSS_DOES_NOT_FIT',
    message: expect.stringMatching(/no loss of labels/),
  });
});

test('a quantized model is refused before any work', () => {
  const model = modelOf(
    `(float[1,3,8,8] X, float s, uint8 z, float[4,3,1,1] W) => (float[1,4,8,8] Y) {
      q = QuantizeLinear(X, s, z)
      x = DequantizeLinear(q, s, z)
      Y = Conv(x, W) }`,
    { W: randomWeight([4, 3, 1, 1], 1) },
  );
  expect(() => stage.prepare!(model, { target: { macs: 0.7 } })).toThrow(
    expect.objectContaining({ code: 'MODEL_ALREADY_QUANTIZED' }),
  );
});

async function answers(model: Model, feeds: ReturnType<typeof randomInputs>): Promise<number[]> {
  const session = await openSession(model);
  try {
    return Object.values(await session.run(feeds)).flatMap(({ data }) => [
      ...(data as Float32Array),
    ]);
  } finally {
    await session.release();
  }
}
