/** Whole prunings of a small model: rounds compose, targets are met, impossible ones say what can be had. */

import { expect, test } from 'vitest';
import type { Model } from '../../../workers/onnx/graph.ts';
import { findGroups } from '../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../workers/pruning/coupling/prepare.ts';
import { maskModel } from '../../../workers/pruning/cut/mask.ts';
import { protectedGroups } from '../../../workers/pruning/protect.ts';
import { pruneModel } from '../../../workers/pruning/prune-model.ts';
import type { PruneContext, PruneSettings, Target } from '../../../workers/pruning/settings.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import type { TaskBinding } from '../../../workers/tasks/task.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const SIDE = 16;
const make = () =>
  modelOf(
    `(float[1,3,${SIDE},${SIDE}] X, float[32,3,3,3] A, float[32] a, float[48,32,3,3] B, float[48] b, float[48,48,3,3] R, float[4,48,1,1] C) => (float[1,4,${SIDE},${SIDE}] Y) {
      H = Conv<pads=[1, 1, 1, 1]>(X, A, a)
      h = Relu(H)
      P = Conv<pads=[1, 1, 1, 1]>(h, B, b)
      p = Relu(P)
      Q = Conv<pads=[1, 1, 1, 1]>(p, R)
      S = Add(p, Q)
      Y = Conv(S, C) }`,
    {
      A: randomWeight([32, 3, 3, 3], 1, 0.3),
      a: randomWeight([32], 2, 0.1),
      B: randomWeight([48, 32, 3, 3], 3, 0.1),
      b: randomWeight([48], 4, 0.1),
      R: randomWeight([48, 48, 3, 3], 5, 0.1),
      C: randomWeight([4, 48, 1, 1], 6, 0.3),
    },
  );

const settings: Omit<PruneSettings, 'target'> = {
  ...{ criterion: 'l2', normalization: 'group', gradientsFrom: 'auto', search: 'greedy' },
  granularity: 'channel',
  ...{ compensate: false, rounds: 1, protect: [], multipleOf: 'auto' },
};

const ctx: PruneContext = {
  binding: { task: 'generic' } as TaskBinding,
  ...{ samples: [], tune: [], fileBytes: 1e6, seed: 1, threads: 1, provider: 'cpu' },
  signal: new AbortController().signal,
  progress: () => {},
};

const prune = (target: Target, change: Partial<PruneSettings> = {}) =>
  pruneModel(make(), { ...settings, target, ...change }, ctx);

test.each([
  ['macs', 0.8],
  ['macs', 0.5],
  ['params', 0.6],
] as const)('%s %f: at most that, and at most 0.02 less', async (resource, share) => {
  const { shares } = await prune({ resource, share });
  const kept = shares[resource];
  expect(kept).toBeLessThanOrEqual(share);
  expect(kept).toBeGreaterThanOrEqual(share - 0.02);
});

test('two rounds are one cut of the input model', async () => {
  const { model, groups, rounds } = await prune({ resource: 'macs', share: 0.5 }, { rounds: 2 });
  const input = await prepareForPruning(make());
  const feeds = randomInputs(input, 7);

  expect(rounds.map(({ share }) => share.toFixed(3))).toEqual(['0.707', '0.500']);
  const [masked, final] = [
    await answer(maskModel(input, groups), feeds),
    await answer(model, feeds),
  ];
  const scale = Math.max(...masked.map(Math.abs));
  expect(scale).toBeGreaterThan(0);
  for (const [i, y] of final.entries()) expect(Math.abs(y - masked[i]!) / scale).toBeLessThan(1e-4);
});

test('protected layers stay whole', async () => {
  const { groups } = await prune({ resource: 'macs', share: 0.8 }, { protect: ['H'] });
  expect(groups.flatMap(({ tensors }) => tensors.map(({ name }) => name))).not.toContain('H');
  await expect(prune({ resource: 'macs', share: 0.8 }, { protect: ['Z*'] })).rejects.toMatchObject({
    code: 'PATTERN_MATCHES_NOTHING',
  });
});

test('patterns name weights, nodes or outputs', async () => {
  const model = await prepareForPruning(make());
  const { groups } = findGroups(model);
  const left = (protect: string[]) => protectedGroups(groups, protect, model).map(({ id }) => id);
  expect(groups.map(({ id }) => id)).toEqual(['H', 'P']);
  expect(left(['A'])).toEqual(['P']);
  expect(left(['Q'])).toEqual(['H']);
  expect(left(['?', 'P'].slice(1))).toEqual(['H']);
  expect(left(['*'])).toEqual([]);
});

test.each<[Target, Partial<PruneSettings>]>([
  [{ resource: 'macs', share: 0.001 }, {}],
  [{ resource: 'macs', share: 0.5 }, { protect: ['*'] }],
  [{ speedup: 90 }, {}],
])('%j with %j is impossible, and the nearest is told', async (target, change) => {
  await expect(prune(target, change)).rejects.toMatchObject({
    code: 'PRUNING_IMPOSSIBLE',
    facts: { least: expect.any(Number) },
  });
});

test('speedup is measured, tried and confirmed', async () => {
  const { trials, confirmed, groups } = await prune({ speedup: 1.3 });
  expect(trials!.some(({ reached }) => reached)).toBe(true);
  expect(confirmed).toBeGreaterThan(1);
  for (const { tensors } of groups) for (const { kept } of tensors) expect(kept.length % 8).toBe(0);
});

async function answer(model: Model, feeds: ReturnType<typeof randomInputs>) {
  const session = await openSession(model);
  try {
    return [...((await session.run(feeds))['Y']!.data as Float32Array)];
  } finally {
    await session.release();
  }
}
