/** @file Quantized models made float again: the same answers but for rounding, exactly the weights, or a reason why not. */

import { expect, test } from 'vitest';

import { checkModel } from '../../../workers/onnx/check.ts';
import { cloneModel } from '../../../workers/onnx/clone.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { parseText } from '../../../workers/onnx/parse-text.ts';
import { numbersOf } from '../../../workers/onnx/values.ts';
import { dequantize } from '../../../workers/passes/dequantize.ts';
import { sqnr } from '../../../workers/quantization/sqnr.ts';
import { inferTypes } from '../../../workers/runtime/infer-types.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';
import { countOps, quantized } from '../quantization/quantized.ts';

async function answers(model: Model) {
  const session = await openSession(model);
  const results = await session.run(randomInputs(model, 3));
  await session.release();
  return results[model.graph.outputs[0]!.name]!.data as Float32Array;
}

async function made(model: Model): Promise<Model> {
  const float = cloneModel(model);
  await inferTypes(float);
  dequantize(float);
  checkModel(float);
  return float;
}

const SCALES = 'float S = {0.02}, uint8 Z = {128}, float T = {0.05}, uint8 R = {0}';
const forms: Record<string, readonly [text: string, ops: readonly string[]]> = {
  dynamic: [
    `(float[1,2,4,4] X) => (float[1,2,4,4] Y) <uint8[2,2,1,1] W = {1, 200, 130, 128}, uint8 V = {128}, float K = {0.01}> {
       Q, S, Z = DynamicQuantizeLinear(X) C = ConvInteger(Q, W, Z, V) F = Cast<to=1>(C) M = Mul(S, K) Y = Mul(F, M) }`,
    ['Conv', 'Cast', 'Mul'],
  ],
  'dynamic MatMul': [
    `(float[3,2] X) => (float[3,2] Y) <uint8[2,2] W = {1, 200, 130, 128}, uint8[2] V = {128, 100}> {
       Q, S, Z = DynamicQuantizeLinear(X) C = MatMulInteger(Q, W, Z, V) F = Cast<to=1>(C) Y = Mul(F, S) }`,
    ['MatMul', 'Cast', 'Mul'],
  ],
  'QLinearConv behind a pooling of codes': [
    `(float[1,2,4,4] X) => (float[1,2,2,2] Y) <${SCALES}, int8[2,2,1,1] W = {1, -100, 30, 127}, float A = {0.01}, int8 O = {0}, int32[2] B = {500, -500}> {
       Q = QuantizeLinear(X, S, Z) P = MaxPool<kernel_shape=[2,2], strides=[2,2]>(Q) C = QLinearConv(P, S, Z, W, A, O, S, Z, B) Y = DequantizeLinear(C, S, Z) }`,
    ['MaxPool', 'Conv'],
  ],
  'a rectifier in the codes': [
    `(float[1,2,4,4] X) => (float[1,2,4,4] Y) <${SCALES}, float[2,2,1,1] W = {1, -1, 0.5, 0.25}> {
       C = Conv(X, W) Q = QuantizeLinear(C, T, R) Y = DequantizeLinear(Q, T, R) }`,
    ['Conv', 'Clip'],
  ],
};

test.each(Object.entries(forms))('%s', async (_, [text, ops]) => {
  const model = parseText(text);

  const float = await made(model);

  expect(float.graph.nodes.map((n) => n.op).filter((op) => op !== 'Identity')).toEqual(ops);
  expect(sqnr(await answers(float), await answers(model))).toBeGreaterThan(30);
});

test('weights per channel come back as the numbers that their codes stand for', async () => {
  const original = modelOf(
    `(float[1,4,10,10] X, float[8,4,3,3] W, float[8] B, float[6,8,3,3] V) => (float[1,6,6,6] Y) {
       H = Conv(X, W, B) S = Sigmoid(H) A = Mul(H, S) Y = Conv(A, V) }`,
    {
      W: randomWeight([8, 4, 3, 3], 1),
      B: randomWeight([8], 2),
      V: randomWeight([6, 8, 3, 3], 3),
    },
  );
  const { model } = await quantized(original);
  const constant = (name: string) =>
    numbersOf(model.graph.initializers.find((v) => v.name === name)!.constant!);

  const float = await made(model);

  expect(countOps(float, 'DequantizeLinear') + countOps(float, 'QuantizeLinear')).toBe(0);
  const w = float.graph.nodes.find((n) => n.op === 'Conv')!.inputs[1]!.constant!;
  const scales = constant('W/scale');
  expect(numbersOf(w)).toEqual(
    constant('W/quantized').map((q, i) => Math.fround(q * scales[Math.floor(i / 36)]!)),
  );
  expect(sqnr(await answers(original), await answers(float))).toBeGreaterThan(35);
});

const refused = {
  'with another scale': `(float[2] X) => (float[2] Y) <${SCALES}> { Q = QuantizeLinear(X, S, Z) Y = DequantizeLinear(Q, T, Z) }`,
  'computes with the codes': `(float[2] X) => (float[2] Y) <${SCALES}> { Q = QuantizeLinear(X, S, Z) P = Add(Q, Q) Y = DequantizeLinear(P, S, Z) }`,
  'from outside the model': `(uint8[2] X) => (float[2] Y) <${SCALES}> { Y = DequantizeLinear(X, S, Z) }`,
  'returns the codes': `(float[2] X) => (uint8[2] Y) <${SCALES}> { Y = QuantizeLinear(X, S, Z) }`,
  'its scale is computed at run time': `(float[2] X, float S) => (float[2] Y) { Q:uint8[2] = QuantizeLinear(X, S) Y = DequantizeLinear(Q, S) }`,
};

test.each(Object.entries(refused))('refused: %s', async (why, text) => {
  await expect(made(parseText(text))).rejects.toMatchObject({
    code: 'MODEL_NOT_DEQUANTIZABLE',
    message: expect.stringContaining(why),
  });
});

test('a float model is left as it is', async () => {
  const model = parseText('(float[2] X) => (float[2] Y) { Y = Relu(X) }');

  expect(dequantize(model)).toBe(0);
});
