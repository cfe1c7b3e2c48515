/** @file Factors move between layers and leave the outputs the same to the bit; loud channels become as loud as the others. */

import { expect, test } from 'vitest';

import { checkModel } from '../../../../workers/onnx/check.ts';
import { cloneModel } from '../../../../workers/onnx/clone.ts';
import type { Model } from '../../../../workers/onnx/graph.ts';
import { floatsOf } from '../../../../workers/onnx/values.ts';
import { equalize } from '../../../../workers/quantization/equalize/equalize.ts';
import { pairsOf } from '../../../../workers/quantization/equalize/pairs.ts';
import { inferTypes } from '../../../../workers/runtime/infer-types.ts';
import { randomInputs } from '../../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../../workers/runtime/session.ts';
import { modelOf, randomWeight, type Weight } from '../../../helpers/tiny-model.ts';
import { int8Options, quantized } from '../quantized.ts';

/** Row o of a weight times 8^o: channels that are far from equally loud. */
const uneven = (dims: readonly number[], seed: number): Weight => {
  const { data } = randomWeight(dims, seed);
  const inner = data.length / dims[0]!;
  return { dims, data: Float32Array.from(data, (w, i) => w * 8 ** (Math.floor(i / inner) - 1)) };
};
const transposed = ({ dims: [n, k], data }: Weight): Weight => ({
  dims: [k!, n!],
  data: Float32Array.from(
    { length: data.length },
    (_, i) => data[(i % n!) * k! + Math.floor(i / n!)]!,
  ),
});

const X = 'float[1,3,8,8] X';
const T = 'float[1,6,3] X';
const cases: Record<string, [Model, string[]]> = {
  'Conv, Relu, Conv': [
    modelOf(
      `(${X}, float[4,3,3,3] W, float[4] B, float[2,4,1,1] V) => (float[1,2,6,6] Y) { H = Conv(X, W, B) R = Relu(H) Y = Conv(R, V) }`,
      { W: uneven([4, 3, 3, 3], 1), B: randomWeight([4], 3), V: randomWeight([2, 4, 1, 1], 2) },
    ),
    ['R'],
  ],
  'depth-wise between two, with LeakyRelu and PRelu': [
    modelOf(
      `(${X}, float[4,3,1,1] W, float[4,1,3,3] D, float[4,1,1] S, float[2,4,1,1] V) => (float[1,2,6,6] Y) {
         H = Conv(X, W) R = LeakyRelu(H) A = Conv<group=4>(R, D) P = PRelu(A, S) Y = Conv(P, V) }`,
      {
        W: uneven([4, 3, 1, 1], 1),
        D: uneven([4, 1, 3, 3], 2),
        S: randomWeight([4, 1, 1], 5, 0.2),
        V: randomWeight([2, 4, 1, 1], 3),
      },
    ),
    ['R', 'P'],
  ],
  'LayerNormalization before two MatMuls': [
    modelOf(
      `<opset_import: ["" : 17]> g (${T}, float[3] G, float[3] B, float[3,4] W, float[3,2] V) => (float[1,6,4] Y, float[1,6,2] Z) {
         N = LayerNormalization(X, G, B) Y = MatMul(N, W) Z = MatMul(N, V) }`,
      {
        G: { dims: [3], data: [1, 16, 0.1] },
        B: randomWeight([3], 4),
        W: randomWeight([3, 4], 1),
        V: randomWeight([3, 2], 2),
      },
    ),
    ['N'],
  ],
  'a norm written out, then MatMul': [
    modelOf(
      `(${T}, float[3] G, float[3] B, float[3,4] W) => (float[1,6,4] Y) { M = Mul(X, G) N = Add(M, B) Y = MatMul(N, W) }`,
      { G: { dims: [3], data: [1, 32, 0.1] }, B: randomWeight([3], 4), W: randomWeight([3, 4], 1) },
    ),
    ['N'],
  ],
  'MatMul, bias, Relu, MatMul': [
    modelOf(
      `(${T}, float[3,4] W, float[4] B, float[4,2] V) => (float[1,6,2] Y) { H = MatMul(X, W) A = Add(H, B) R = Relu(A) Y = MatMul(R, V) }`,
      { W: transposed(uneven([4, 3], 1)), B: randomWeight([4], 4), V: randomWeight([4, 2], 2) },
    ),
    ['R'],
  ],
  'Gemm, Relu, Gemm': [
    modelOf(
      '(float[2,3] X, float[4,3] W, float[4] B, float[4,2] V) => (float[2,2] Y) { H = Gemm<transB=1>(X, W, B) R = Relu(H) Y = Gemm(R, V) }',
      { W: uneven([4, 3], 1), B: randomWeight([4], 4), V: randomWeight([4, 2], 2) },
    ),
    ['R'],
  ],
};

const refused: Record<string, Model> = {
  SiLU: modelOf(
    `(${X}, float[4,3,1,1] W, float[2,4,1,1] V) => (float[1,2,8,8] Y) { H = Conv(X, W) S = Sigmoid(H) A = Mul(H, S) Y = Conv(A, V) }`,
    { W: uneven([4, 3, 1, 1], 1), V: randomWeight([2, 4, 1, 1], 2) },
  ),
  'another reader': modelOf(
    `(${X}, float[4,3,1,1] W, float[4,4,1,1] V) => (float[1,4,8,8] Y) { H = Conv(X, W) R = Relu(H) A = Conv(R, V) Y = Add(A, R) }`,
    { W: uneven([4, 3, 1, 1], 1), V: randomWeight([4, 4, 1, 1], 2) },
  ),
  'a tensor that is an output': modelOf(
    `(${X}, float[4,3,1,1] W, float[2,4,1,1] V) => (float[1,4,8,8] R, float[1,2,8,8] Y) { H = Conv(X, W) R = Relu(H) Y = Conv(R, V) }`,
    { W: uneven([4, 3, 1, 1], 1), V: randomWeight([2, 4, 1, 1], 2) },
  ),
  'a weight of two layers': modelOf(
    `(float[1,4,8,8] X, float[4,4,1,1] W) => (float[1,4,8,8] Y) { H = Conv(X, W) R = Relu(H) Y = Conv(R, W) }`,
    { W: uneven([4, 4, 1, 1], 1) },
  ),
  'a bounded activation': modelOf(
    `(${X}, float[4,3,1,1] W, float[2,4,1,1] V) => (float[1,2,8,8] Y) { H = Conv(X, W) R = HardSigmoid(H) Y = Conv(R, V) }`,
    { W: uneven([4, 3, 1, 1], 1), V: randomWeight([2, 4, 1, 1], 2) },
  ),
};

const optionsFor = (model: Model) =>
  int8Options({
    images: 4,
    async *feeds() {
      for (let i = 0; i < 4; i++) yield randomInputs(model, i);
    },
  });

async function outputsOf(model: Model) {
  const session = await openSession(model);
  const found = await session.run(randomInputs(model, 9));
  await session.release();
  return model.graph.outputs.map((v) => [...(found[v.name]!.data as Float32Array)]);
}

test.each(Object.entries(cases))(
  '%s: other constants, the same outputs',
  async (_, [model, tensors]) => {
    const found = (await equalize(model, await optionsFor(model)))!;

    checkModel(found.model);
    expect(found.tensors).toEqual(tensors);
    const constants = ({ graph }: Model) =>
      graph.initializers.map((v) => [...floatsOf(v.constant!)]);
    expect(constants(found.model)).not.toEqual(constants(model));
    expect(await outputsOf(found.model)).toEqual(await outputsOf(model));
  },
);

test.each(Object.entries(refused))('%s: nothing moves', async (_, model) => {
  const copy = cloneModel(model);
  await inferTypes(copy);

  expect(pairsOf(copy.graph)).toEqual([]);
  expect(await equalize(model, await optionsFor(model))).toBeUndefined();
});

test('a quantized model with uneven channels is kept equalized where that is closer to float', async () => {
  const [model] = cases['LayerNormalization before two MatMuls']!;

  const { details, db } = await quantized(model);

  expect(details.equalization).toMatchObject({ tensors: ['N'], kept: 'equalized' });
  const { plain, equalized } = details.equalization!.sqnrDb;
  expect(equalized).toBeGreaterThan(plain + 1);
  expect(db).toBeGreaterThan(35);
});
