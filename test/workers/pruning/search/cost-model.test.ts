/** Costs counted without cutting are those of the model really cut. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';
import { countMacs, countParams } from '../../../../workers/onnx/cost.ts';
import type { Model } from '../../../../workers/onnx/graph.ts';
import { readModel } from '../../../../workers/onnx/read.ts';
import { writeModel } from '../../../../workers/onnx/write.ts';
import { findGroups, type Group } from '../../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../../workers/pruning/coupling/prepare.ts';
import { cut } from '../../../../workers/pruning/cut/cut.ts';
import { CostModel } from '../../../../workers/pruning/search/cost-model.ts';
import { inferTypes } from '../../../../workers/runtime/infer-types.ts';
import { random } from '../../../../workers/runtime/random.ts';
import { modelOf, randomWeight, shapeWeight } from '../../../helpers/tiny-model.ts';

const DEMO = join(import.meta.dirname, '../../../../examples/bccd_yolov8n_320.onnx');

const MODELS: Readonly<Record<string, () => Model>> = {
  'the demo detector': () => readModel(readFileSync(DEMO)),
  'a grouped and a depthwise Conv, joined': () =>
    modelOf(
      `(float[1,3,8,8] X, float[8,3,1,1] A, float[8] a, float[8,2,3,3] G, float[8,1,3,3] D, float[4,16,1,1] B) => (float[1,4,8,8] Y) {
        H = Conv(X, A, a)
        P = Conv<group=4, pads=[1, 1, 1, 1]>(H, G)
        Q = Conv<group=8, pads=[1, 1, 1, 1]>(H, D)
        J = Concat<axis=1>(P, Q)
        Y = Conv(J, B) }`,
      {
        A: randomWeight([8, 3, 1, 1], 1),
        a: randomWeight([8], 2),
        G: randomWeight([8, 2, 3, 3], 3),
        D: randomWeight([8, 1, 3, 3], 4),
        B: randomWeight([4, 16, 1, 1], 5),
      },
    ),
  'ConvTranspose, Flatten and Gemm': () =>
    modelOf(
      `(float[1,3,4,4] X, float[3,6,2,2] A, float[384,10] B, float[10] b, float[5,10] C) => (float[1,5] Y) {
        H = ConvTranspose<strides=[2, 2]>(X, A)
        R = Relu(H)
        F = Flatten(R)
        G = Gemm(F, B, b)
        Y = Gemm<transB=1>(G, C) }`,
      {
        A: randomWeight([3, 6, 2, 2], 1),
        B: randomWeight([384, 10], 2),
        b: randomWeight([10], 3),
        C: randomWeight([5, 10], 4),
      },
    ),
  'attention, whose products of activations shrink with its heads': () =>
    modelOf(
      `(float[1,6,8] X, float[8,12] Q, float[8,12] K, float[8,12] V, float[12] v, float[12,8] O, int64[4] S, int64[3] T) => (float[1,6,8] Y) {
        q = MatMul(X, Q)
        q4 = Reshape(q, S)
        qh = Transpose<perm=[0, 2, 1, 3]>(q4)
        k = MatMul(X, K)
        k4 = Reshape(k, S)
        kh = Transpose<perm=[0, 2, 3, 1]>(k4)
        u = MatMul(X, V)
        w = Add(u, v)
        v4 = Reshape(w, S)
        vh = Transpose<perm=[0, 2, 1, 3]>(v4)
        L = MatMul(qh, kh)
        P = Softmax<axis=-1>(L)
        C = MatMul(P, vh)
        ct = Transpose<perm=[0, 2, 1, 3]>(C)
        cf = Reshape(ct, T)
        Y = MatMul(cf, O) }`,
      {
        ...Object.fromEntries(
          ['Q', 'K', 'V'].map((name, i) => [name, randomWeight([8, 12], i + 1)]),
        ),
        v: randomWeight([12], 4),
        O: randomWeight([12, 8], 5),
        S: shapeWeight(1, 6, 3, 4),
        T: shapeWeight(1, 6, 12),
      },
    ),
};

describe.each(Object.entries(MODELS))('%s', (_, make) => {
  test.each([1, 2, 3])('random cut %i', async (seed) => {
    const model = await prepareForPruning(make());
    const { groups } = findGroups(model);
    const gone = someOfEach(groups, seed);
    const macs = new CostModel(model, 'macs', 0);
    const params = new CostModel(model, 'params', 0);
    const bytes = new CostModel(model, 'bytes', writeModel(model).length);
    expect(macs.cost).toBeCloseTo(countMacs(model), 3);
    expect(params.cost).toBeCloseTo(countParams(model), 3);

    for (const cost of [macs, params, bytes])
      for (const [i, group] of groups.entries()) {
        const before = cost.cost;
        const saved = cost.saving(group, gone[i]!);
        cost.remove(group, gone[i]!);
        expect(before - cost.cost).toBeCloseTo(saved, 3);
      }

    const { model: pruned } = cut(model, groups, keptOf(groups, gone));
    await inferTypes(pruned);
    expect(countMacs(pruned)).toBeLessThan(countMacs(model));
    expect(macs.cost).toBeCloseTo(countMacs(pruned), 3);
    expect(params.cost).toBeCloseTo(countParams(pruned), 3);
    // Lengths are written in fewer digits too.
    expect(Math.abs(bytes.cost - writeModel(pruned).length)).toBeLessThan(500);
  });
});

/** Of every group some channels, never all. */
function someOfEach(groups: readonly Group[], seed: number): number[][] {
  const { below } = random(seed);
  return groups.map(({ size }) => {
    const start = below(size);
    const count = size > 1 ? 1 + below(Math.floor(size / 2)) : 0;
    return Array.from({ length: count }, (_, i) => (start + i) % size);
  });
}

const keptOf = (groups: readonly Group[], gone: readonly (readonly number[])[]) =>
  new Map(
    groups.map(({ id, size }, i) => {
      const out = new Set(gone[i]);
      return [id, Array.from({ length: size }, (_, c) => c).filter((c) => !out.has(c))] as const;
    }),
  );
