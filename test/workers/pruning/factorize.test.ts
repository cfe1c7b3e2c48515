/** @file Layers as chains of narrower ones: decompositions, ranks, and whole factorizations with their proof. */

import { describe, expect, test } from 'vitest';

import { countMacs, countParams } from '../../../workers/onnx/cost.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import type { PruneContext } from '../../../workers/pruning/settings.ts';
import { symmetricEigen } from '../../../workers/pruning/structure/factorize/eigen.ts';
import { factorizeModel } from '../../../workers/pruning/structure/factorize/factorize.ts';
import { lowRank, product } from '../../../workers/pruning/structure/factorize/low-rank.ts';
import { random } from '../../../workers/runtime/random.ts';
import type { TaskBinding } from '../../../workers/tasks/task.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const normals = (n: number, seed: number) => {
  const rng = random(seed);
  return Float64Array.from({ length: n }, () => rng.normal());
};

test.each([1, 2, 3, 17, 40])('eigenvectors of a symmetric %i × %i matrix', (n) => {
  const a = normals(n * n, n);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[i * n + j] = a[j * n + i]!;
  const { values, vectors } = symmetricEigen(a, n);
  const row = (k: number) => vectors.subarray(k * n, (k + 1) * n);
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((s, v, i) => s + v * y[i]!, 0);
  for (let k = 0; k < n; k++) {
    if (k > 0) expect(values[k]).toBeLessThanOrEqual(values[k - 1]!);
    expect(dot(row(k), row(k))).toBeCloseTo(1, 9);
    for (let i = 0; i < n; i++)
      expect(dot(a.subarray(i * n, (i + 1) * n), row(k))).toBeCloseTo(values[k]! * row(k)[i]!, 9);
  }
});

test('eigenvalues that are equal, and zeros', () => {
  const { values } = symmetricEigen(Float64Array.of(2, 0, 0, 0, 2, 0, 0, 0, 0), 3);
  expect([...values]).toEqual([2, 2, 0]);
});

describe.each([
  [5, 9],
  [9, 5],
])('%i × %i', (rows, columns) => {
  const m = { data: normals(rows * columns, 3), rows, columns };
  const low = lowRank(m);
  const energy = (x: Float64Array) => x.reduce((s, v) => s + v * v, 0);

  test.each([1, 3, 5])('rank %i loses what it says', (r) => {
    const both = product(...low.factors(r));
    const error = m.data.map((v, i) => v - both.data[i]!);
    expect(energy(error) / energy(m.data)).toBeCloseTo(low.lost[r]!, 9);
  });
});

const ctx: PruneContext = {
  binding: { task: 'generic' } as TaskBinding,
  ...{ samples: [], tune: [], fileBytes: 1e5, seed: 1, threads: 1, provider: 'cpu' },
  signal: new AbortController().signal,
  progress: () => {},
};

/** A conv of every sort, a product of every sort. */
const make = () =>
  modelOf(
    `(float[1,3,16,16] X, float[24,3,3,3] A, float[24] a, float[32,24,3,3] B, float[48,32,1,1] C, float[48] c, float[48,1,3,3] D, int64[2] flat,
      float[48,40] E, float[40] e, float[64,40] F, float[64] f, float[64,5] G) => (float[1,5] Y) {
      p = Conv<pads=[1, 1, 1, 1]>(X, A, a)  p1 = Relu(p)
      q = Conv<pads=[1, 0, 2, 1], strides=[2, 1], dilations=[1, 2], kernel_shape=[3, 3]>(p1, B)  q1 = Relu(q)
      r = Conv<strides=[2, 2]>(q1, C, c)  r1 = Relu(r)  d = Conv<group=48>(r1, D)
      g = GlobalAveragePool(d)  v = Reshape(g, flat)
      h = Gemm(v, E, e)  i = Gemm<transB=1, alpha=0.5>(h, F, f)  Y = MatMul(i, G) }`,
    {
      ...{ A: randomWeight([24, 3, 3, 3], 1, 0.3), a: randomWeight([24], 2) },
      ...{ B: randomWeight([32, 24, 3, 3], 3, 0.2), C: randomWeight([48, 32, 1, 1], 4, 0.3) },
      ...{ c: randomWeight([48], 5), D: randomWeight([48, 1, 3, 3], 6) },
      flat: { dims: [2], data: [1, 48] },
      ...{ E: randomWeight([48, 40], 7, 0.3), e: randomWeight([40], 8) },
      ...{
        F: randomWeight([64, 40], 9, 0.3),
        f: randomWeight([64], 10),
        G: randomWeight([64, 5], 11),
      },
    },
  );

const settings = {
  resource: 'macs',
  share: 0.5,
  rank: 'budget',
  compensate: false,
  protect: [],
} as const;

test.each([
  ['macs', 'budget', 0.7],
  ['macs', 'energy', 0.7],
  ['macs', 'budget', 0.3],
  ['params', 'budget', 0.5],
  ['params', 'energy', 0.3],
] as const)('%s by %s to %f: proved, and as cheap as told', async (resource, rank, share) => {
  const made = await factorizeModel(make(), { ...settings, resource, rank, share }, ctx);
  expect(made.proof).toBeLessThan(1e-5);
  expect(made.shares[resource]).toBeLessThanOrEqual(share);
  expect(made.shares[resource]).toBeGreaterThan(share - 0.03);
  const [before, after] = [make(), readModel(writeModel(made.model))];
  expect(countParams(after)).toBe(countParams(before) + difference(made.layers, 'params'));
  expect(countMacs(made.model) / made.shares.macs).toBeCloseTo(
    countMacs(made.model) - difference(made.layers, 'macs'),
  );
  expect(made.refused.map(({ reason }) => reason)).toEqual([expect.stringContaining('of groups')]);
});

test('forms fit: all of them are tried somewhere', async () => {
  const forms = new Set<string>();
  for (const share of [0.2, 0.35, 0.5, 0.7])
    for (const rank of ['energy', 'budget'] as const) {
      const made = await factorizeModel(make(), { ...settings, rank, share }, ctx);
      for (const { form } of made.layers) forms.add(form);
    }
  expect(forms.size).toBeGreaterThanOrEqual(2);
});

test('what cannot be, and what must not be', async () => {
  await expect(factorizeModel(make(), { ...settings, share: 0.001 }, ctx)).rejects.toMatchObject({
    code: 'PRUNING_IMPOSSIBLE',
    facts: { least: expect.any(Number) },
  });
  const { layers } = await factorizeModel(
    make(),
    { ...settings, share: 0.85, protect: ['B'] },
    ctx,
  );
  const { layers: free } = await factorizeModel(make(), { ...settings, share: 0.6 }, ctx);
  expect(layers.length).toBeGreaterThan(0);
  expect(free.map((l) => l.params.before)).toContain(32 * 24 * 9);
  expect(layers.map((l) => l.params.before)).not.toContain(32 * 24 * 9);
});

const difference = (
  layers: Awaited<ReturnType<typeof factorizeModel>>['layers'],
  of: 'macs' | 'params',
) => layers.reduce((sum, l) => sum + l[of].after - l[of].before, 0);
