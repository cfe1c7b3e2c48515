/** @file What else than channels goes: heads, residual branches, single weights. */

import { expect, test } from 'vitest';

import { countMacs } from '../../../workers/onnx/cost.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { floatsOf } from '../../../workers/onnx/values.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { prepareForPruning } from '../../../workers/pruning/coupling/prepare.ts';
import { maskModel } from '../../../workers/pruning/cut/mask.ts';
import { pruneModel } from '../../../workers/pruning/prune-model.ts';
import type { PruneContext, PruneSettings } from '../../../workers/pruning/settings.ts';
import { sparseLayers } from '../../../workers/pruning/sparsity/layers.ts';
import { findBlocks } from '../../../workers/pruning/structure/blocks.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import type { TaskBinding } from '../../../workers/tasks/task.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';
import { SMALL_GRAPHS } from './graphs.ts';

const SETTINGS: PruneSettings = {
  target: { resource: 'macs', share: 0.8 },
  granularity: 'channel',
  ...{ criterion: 'l2', normalization: 'group', gradientsFrom: 'auto', search: 'greedy' },
  ...{ compensate: false, rounds: 1, protect: [], multipleOf: 'auto' },
};

const CONTEXT: PruneContext = {
  binding: { task: 'generic' } as TaskBinding,
  ...{ samples: [], tune: [], fileBytes: 1e6, seed: 1, threads: 1, provider: 'cpu' },
  signal: new AbortController().signal,
  progress: () => {},
};

const prune = (model: Model, change: Partial<PruneSettings>) =>
  pruneModel(model, { ...SETTINGS, ...change }, CONTEXT);

const graph = (name: string) => SMALL_GRAPHS.find(([n]) => n === name)![2]();

const attention = () => graph('attention with queries, keys and values from one product');

/** Three residual branches, of which the second adds next to nothing. */
const residual = () =>
  modelOf(
    `(float[1,3,8,8] X, float[16,3,1,1] S, float[16,16,3,3] A, float[16,16,3,3] B, float[16,16,3,3] C, float[4,16,1,1] Z) => (float[1,4,8,8] Y) {
      s = Conv(X, S)
      a = Conv<pads=[1, 1, 1, 1]>(s, A)  a1 = Relu(a)  p = Add(s, a1)
      b = Conv<pads=[1, 1, 1, 1]>(p, B)  b1 = Relu(b)  q = Add(b1, p)
      c = Conv<pads=[1, 1, 1, 1]>(q, C)  c1 = Relu(c)  r = Add(q, c1)
      Y = Conv(r, Z) }`,
    {
      S: randomWeight([16, 3, 1, 1], 1),
      A: randomWeight([16, 16, 3, 3], 2, 0.2),
      B: randomWeight([16, 16, 3, 3], 3, 0.001),
      C: randomWeight([16, 16, 3, 3], 4, 0.2),
      Z: randomWeight([4, 16, 1, 1], 5),
    },
  );

test('heads go as a whole', async () => {
  const { model, groups, shares, changes } = await prune(attention(), { granularity: 'head' });
  expect(shares.macs).toBeLessThanOrEqual(0.8);
  const scores = groups.flatMap((g) => g.tensors).filter(({ name }) => name === 's');
  expect(scores).toMatchObject([{ axis: 1, size: 4 }]);
  expect(
    groups.flatMap((g) => g.tensors).some(({ name, axis }) => name === 'q' && axis === 3),
  ).toBe(false);
  expect(changes).toEqual({ latency: true, fileBytes: true });
  await expectSameOutputs(maskModel(await prepareForPruning(attention()), groups), model);
});

test('a model without attention has no heads', async () => {
  await expect(prune(residual(), { granularity: 'head' })).rejects.toMatchObject({
    code: 'PRUNING_IMPOSSIBLE',
    facts: { least: 1 },
  });
});

test('residual branches are found by topology', async () => {
  const blocks = findBlocks(await prepareForPruning(residual()));
  expect(blocks.map(({ branch }) => branch)).toEqual(['a1', 'b1', 'c1']);
});

test('the branch that matters least goes first, and the rest stays', async () => {
  const target = { resource: 'macs', share: 0.7 } as const;
  const { model, groups, shares } = await prune(residual(), { granularity: 'block', target });
  expect(groups).toMatchObject([{ tensors: [{ name: 'b1', size: 16, kept: [] }] }]);
  expect(shares.macs).toBeCloseTo(
    countMacs(model) / countMacs(await prepareForPruning(residual())),
  );
  expect(model.graph.nodes.flatMap((n) => n.outputs.map((y) => y!.name))).toEqual([
    ...['s', 'a', 'a1', 'p', 'c', 'c1', 'r', 'Y'],
  ]);
  await expectSameOutputs(maskModel(await prepareForPruning(residual()), groups), model);
});

test('more branches than there are cannot go; protected ones do not', async () => {
  const few = { resource: 'macs', share: 0.01 } as const;
  await expect(prune(residual(), { granularity: 'block', target: few })).rejects.toMatchObject({
    code: 'PRUNING_IMPOSSIBLE',
    facts: { least: expect.any(Number) },
  });
  const target = { resource: 'macs', share: 0.7 } as const;
  const { groups } = await prune(residual(), { granularity: 'block', target, protect: ['q'] });
  expect(groups[0]!.tensors[0]!.name).not.toBe('b1');
});

test.each(['params', 'macs'] as const)(
  'unstructured: %s by the share asked for',
  async (resource) => {
    const { model, shares, sparsity, changes } = await prune(residual(), {
      granularity: 'unstructured',
      target: { resource, share: 0.3 },
    });
    expect(shares[resource]).toBeLessThan(0.301);
    expect(shares[resource]).toBeGreaterThan(0.28);
    expect(sparsity!.zeros).toBe(zerosOf(model));
    expect(sparsity!.compressedBytes.after).toBeLessThan(0.6 * sparsity!.compressedBytes.before);
    expect(changes).toEqual({ latency: false, fileBytes: false });
  },
);

test('2:4: two of every four neighbours along the summed axis, stem left as it is', async () => {
  const { model, refused } = await prune(residual(), {
    granularity: '2:4',
    target: { resource: 'params', share: 0.5 },
  });
  const weights = new Map(
    sparseLayers(model, []).map(({ weight }) => [weight.name, weight.constant!]),
  );
  for (const name of ['A', 'B', 'C', 'Z']) {
    const values = floatsOf(weights.get(name)!);
    const [out, channels, area] = [
      values.length / 16 / (name === 'Z' ? 1 : 9),
      16,
      name === 'Z' ? 1 : 9,
    ];
    for (let o = 0; o < out; o++)
      for (let c = 0; c < channels; c += 4)
        for (let i = 0; i < area; i++) {
          const four = [0, 1, 2, 3].map((k) => values[(o * channels + c + k) * area + i]);
          expect(four.filter((w) => w === 0)).toHaveLength(2);
        }
  }
  expect(refused).toMatchObject([{ tensor: 'S', reason: expect.stringContaining('3 numbers') }]);
});

test.each([
  [{ granularity: '2:4', target: { resource: 'params', share: 0.4 } }, 'PRUNING_IMPOSSIBLE'],
  [{ granularity: 'unstructured', target: { resource: 'bytes', share: 0.5 } }, 'OPTIONS_CONFLICT'],
  [{ granularity: 'unstructured', target: { speedup: 2 } }, 'OPTIONS_CONFLICT'],
  [{ granularity: 'unstructured', criterion: 'fpgm' }, 'OPTIONS_CONFLICT'],
] as const)('%j: %s', async (change, code) => {
  await expect(prune(residual(), change)).rejects.toMatchObject({ code });
});

test('what zeros save is what they say: rounds keep what is zero', async () => {
  const target = { resource: 'params', share: 0.25 } as const;
  const change = { granularity: 'unstructured', target, criterion: 'random' } as const;
  const once = await prune(residual(), change);
  const thrice = await prune(residual(), { ...change, rounds: 3 });
  expect(thrice.rounds.map(({ share }) => share.toFixed(2))).toEqual(['0.63', '0.40', '0.25']);
  expect(thrice.sparsity!.zeros).toBe(once.sparsity!.zeros);
});

/** A layer of zeros only is no trained layer any more: count them all. */
const zerosOf = ({ graph: { initializers } }: Model) =>
  initializers.reduce(
    (n, { constant }) => n + floatsOf(constant!).filter((w) => w === 0).length,
    0,
  );

async function expectSameOutputs(expected: Model, found: Model): Promise<void> {
  const feeds = randomInputs(expected, 3);
  const [a, b] = [await answer(expected, feeds), await answer(readModel(writeModel(found)), feeds)];
  const scale = Math.max(...a.map(Math.abs));
  expect(scale).toBeGreaterThan(0);
  expect(Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))).toBeLessThan(1e-4 * scale);
}

async function answer(model: Model, feeds: ReturnType<typeof randomInputs>): Promise<number[]> {
  const session = await openSession(model);
  try {
    const [y] = Object.values(await session.run(feeds));
    return [...(y!.data as Float32Array)];
  } finally {
    await session.release();
  }
}
