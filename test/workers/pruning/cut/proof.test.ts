/** @file What the proof of a cut lets pass as rounding, and what it does not. */

import { expect, test } from 'vitest';

import { cloneModel } from '../../../../workers/onnx/clone.ts';
import type { Model } from '../../../../workers/onnx/graph.ts';
import { Tensor } from '../../../../workers/onnx/tensor.ts';
import { numbersOf } from '../../../../workers/onnx/values.ts';
import { roundedWeights } from '../../../../workers/passes/proof.ts';
import { findGroups } from '../../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../../workers/pruning/coupling/prepare.ts';
import { cut } from '../../../../workers/pruning/cut/cut.ts';
import { maskModel } from '../../../../workers/pruning/cut/mask.ts';
import { provePruned } from '../../../../workers/pruning/cut/proof.ts';
import { compareParts } from '../../../../workers/runtime/parts.ts';
import { randomInputs } from '../../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../../workers/runtime/session.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';

const options = { threads: 1, seed: 1 };

/** Boxes of ordinary size beside scores of 0.000002: the runtime's sigmoid is exact to 0.00000006, so they come in steps of some percent. */
const original = await prepareForPruning(
  modelOf(
    `(float[1,3,8,8] X, float[16,3,3,3] A, float[16] a, float[4,16,1,1] B, float[4,1,1] M, float[3,16,1,1] C, float[3] c) => (float[1,7,8,8] Y) {
      H = Conv<pads=[1, 1, 1, 1]>(X, A, a)
      h = Relu(H)
      P = Conv(h, B)
      boxes = Mul(P, M)
      Q = Conv(h, C, c)
      scores = Sigmoid(Q)
      Y = Concat<axis=1>(boxes, scores) }`,
    {
      ...{ A: randomWeight([16, 3, 3, 3], 1, 0.2), a: randomWeight([16], 2) },
      ...{ B: randomWeight([4, 16, 1, 1], 3), M: randomWeight([4, 1, 1], 4, 50) },
      ...{
        C: randomWeight([3, 16, 1, 1], 5, 0.05),
        c: { dims: [3], data: Float32Array.of(-13, -13, -13) },
      },
    },
  ),
);
const { groups } = findGroups(original);
const kept = new Map([[groups[0]!.id, [0, 1, 3, 4, 6, 7, 8, 10, 13, 15]]]);
const { model: exact, report } = cut(original, groups, kept);
/** As another order of summation would leave it. */
const pruned = roundedWeights(exact);

test('scores that are noise are judged before the sigmoid', async () => {
  const { worst } = await provePruned(original, pruned, report, [], options);

  expect(worst).toBeLessThanOrEqual(1e-4);
  expect(await scoresDiffer()).toBeGreaterThan(1e-4);
});

test.each([
  ['B', 1.001],
  ['C', 1.05],
  ['M', 1.01],
  ['c', 1.001],
])('%s off by a factor of %f is no noise', async (name, factor) => {
  await expect(
    provePruned(original, scaled(pruned, name, factor), report, [], options),
  ).rejects.toThrow(/the pruned model differs from the masked original/);
});

function scaled(model: Model, name: string, factor: number): Model {
  const copy = cloneModel(model);
  const value = copy.graph.initializers.find((v) => v.name === name)!;
  const { dims } = value.constant!;
  const numbers = Float32Array.from(numbersOf(value.constant!), (w) => w * factor);
  value.constant = Tensor.float32(dims, numbers);
  return copy;
}

/** The largest difference of the scores from the masked original, as a share of their scale. */
async function scoresDiffer(): Promise<number> {
  const feeds = randomInputs(original, options.seed);
  const answers = [];
  for (const model of [maskModel(original, report), pruned]) {
    const session = await openSession(model);
    answers.push((await session.run(feeds))['Y']!);
    await session.release();
  }
  const cuts = [new Set<number>(), new Set([4])];
  return compareParts(answers[0]!, answers[1]!, cuts).error;
}

/** Every position has nearly the same score, two of them are picked, and what was picked goes through two more layers. */
const picking = () =>
  modelOf(
    `(float[1,3,8,8] X, float[16,3,3,3] A, float[1,16,1,1] S, int64[2] flat, int64[3] rows, int64[1] two, int64[1] one, float[16,12] U, float[12,4] V) => (float[1,2,4] Y) {
      H = Conv<pads=[1, 1, 1, 1]>(X, A)
      h = Relu(H)
      s = Conv(h, S)
      f = Reshape(s, flat)
      best, at = TopK<axis=1>(f, two)
      r = Reshape(h, rows)
      t = Transpose<perm=[0, 2, 1]>(r)
      i = Squeeze(at, one)
      q = Gather<axis=1>(t, i)
      u = MatMul(q, U)
      v = Relu(u)
      Y = MatMul(v, V) }`,
    {
      ...{ A: randomWeight([16, 3, 3, 3], 1, 0.2), S: randomWeight([1, 16, 1, 1], 2, 1e-9) },
      ...{ U: randomWeight([16, 12], 3), V: randomWeight([12, 4], 4) },
      flat: { dims: [2], data: [1, 64] },
      rows: { dims: [3], data: [1, 16, 64] },
      ...{ two: { dims: [1], data: [2] }, one: { dims: [1], data: [0] } },
    },
  );

test('what lies behind a pick is compared, whatever rounding picks', async () => {
  const whole = await prepareForPruning(picking());
  const all = findGroups(whole).groups;
  const { model, report: told } = cut(
    whole,
    all,
    new Map(all.map(({ id, size }) => [id, Array.from({ length: size - 3 }, (_, i) => i + 1)])),
  );
  const { worst } = await provePruned(whole, roundedWeights(model), told, [], options);
  expect(worst).toBeLessThanOrEqual(1e-4);
  await expect(provePruned(whole, scaled(model, 'V', 1.01), told, [], options)).rejects.toThrow(
    /scale of 'Y'/,
  );
});
