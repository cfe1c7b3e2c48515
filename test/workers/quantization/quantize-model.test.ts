/** @file Whole models to int8: close to float, in the form that the profile asks for, with every name kept. */

import { expect, test } from 'vitest';

import type { Model } from '../../../workers/onnx/graph.ts';
import {
  CALIBRATORS,
  type CalibratorName,
} from '../../../workers/quantization/calibrators/registry.ts';
import { modelOf, randomWeight, shapeWeight } from '../../helpers/tiny-model.ts';
import { countOps, quantized } from './quantized.ts';

const conv = (text: string, w: number[], seed = 1): Model =>
  modelOf(text, {
    W: randomWeight(w, seed),
    B: randomWeight([w[0]!], seed + 1),
    V: randomWeight([6, w[0]!, 1, 1], seed + 2),
  });

const X = 'float[1,4,10,10] X';
const layers: Record<string, [Model, { qdq: number }]> = {
  'Conv with bias': [
    conv(
      `(${X}, float[8,4,3,3] W, float[8] B) => (float[1,8,8,8] Y) { Y = Conv(X, W, B) }`,
      [8, 4, 3, 3],
    ),
    { qdq: 2 },
  ],
  'Conv without bias': [
    conv(`(${X}, float[8,4,3,3] W) => (float[1,8,8,8] Y) { Y = Conv(X, W) }`, [8, 4, 3, 3]),
    { qdq: 2 },
  ],
  'depthwise Conv': [
    conv(
      `(${X}, float[4,1,3,3] W, float[4] B) => (float[1,4,8,8] Y) { Y = Conv<group=4>(X, W, B) }`,
      [4, 1, 3, 3],
    ),
    { qdq: 2 },
  ],
  'grouped Conv': [
    conv(
      `(${X}, float[8,2,3,3] W, float[8] B) => (float[1,8,8,8] Y) { Y = Conv<group=2>(X, W, B) }`,
      [8, 2, 3, 3],
    ),
    { qdq: 2 },
  ],
  'Conv and Relu': [
    conv(
      `(${X}, float[8,4,1,1] W, float[8] B) => (float[1,8,10,10] Y) { H = Conv(X, W, B) Y = Relu(H) }`,
      [8, 4, 1, 1],
    ),
    { qdq: 2 },
  ],
  'Conv, SiLU, Conv': [
    conv(
      `(${X}, float[8,4,3,3] W, float[8] B, float[6,8,1,1] V) => (float[1,6,8,8] Y) { H = Conv(X, W, B) S = Sigmoid(H) A = Mul(H, S) Y = Conv(A, V) }`,
      [8, 4, 3, 3],
    ),
    { qdq: 4 },
  ],
  Gemm: [
    modelOf(
      '(float[2,16] X, float[5,16] W, float[5] B) => (float[2,5] Y) { Y = Gemm<transB=1>(X, W, B) }',
      { W: randomWeight([5, 16], 1), B: randomWeight([5], 2) },
    ),
    { qdq: 1 },
  ],
  'MatMul by a constant': [
    modelOf('(float[2,7,16] X, float[16,5] W) => (float[2,7,5] Y) { Y = MatMul(X, W) }', {
      W: randomWeight([16, 5], 1),
    }),
    { qdq: 1 },
  ],
};

test.each(Object.entries(layers))(
  '%s: at least 30 dB, one Q/DQ pair per quantized tensor',
  async (_, [model, { qdq }]) => {
    const result = await quantized(model);

    expect(result.db).toBeGreaterThan(30);
    expect(countOps(result.model, 'QuantizeLinear')).toBe(qdq);
    expect(result.model.graph.outputs.map((v) => v.name)).toEqual(['Y']);
    expect(result.details.float).toEqual([]);
  },
);

test('onnxruntime runs every quantized Conv in integers', async () => {
  const { details } = await quantized(layers['Conv, SiLU, Conv']![0]);

  expect(details).toMatchObject({ convs: 2, fusedConvs: 2, convMacs8bit: 1 });
});

test('the profile generic quantizes after the activation, for every reader', async () => {
  const { model, db } = await quantized(layers['Conv, SiLU, Conv']![0], { profile: 'generic' });

  const rounded = model.graph.nodes
    .filter((n) => n.op === 'QuantizeLinear')
    .map((n) => n.inputs[0]!.name);
  expect(rounded.toSorted()).toEqual(['A', 'X']);
  expect(db).toBeGreaterThan(30);
});

test('ConvTranspose stays in float for onnxruntime and is quantized for generic', async () => {
  const model = modelOf(
    `(${X}, float[4,6,2,2] W, float[6] B) => (float[1,6,20,20] Y) { Y = ConvTranspose<strides=[2,2]>(X, W, B) }`,
    {
      W: randomWeight([4, 6, 2, 2], 1),
      B: randomWeight([6], 2),
    },
  );

  const cpu = await quantized(model);
  const generic = await quantized(model, { profile: 'generic' });

  expect(cpu.details.float).toEqual([
    { tensor: 'Y', op: 'ConvTranspose', reason: expect.stringContaining('ConvTranspose') },
  ]);
  expect(generic.details.float).toEqual([]);
  expect(generic.db).toBeGreaterThan(30);
});

test('a weight that two layers share is stored once', async () => {
  const model = modelOf(
    `(${X}, float[4,4,1,1] W) => (float[1,4,10,10] Y) { H = Conv(X, W) Y = Conv(H, W) }`,
    { W: randomWeight([4, 4, 1, 1], 1) },
  );

  const result = await quantized(model);

  expect(
    result.model.graph.initializers.filter(
      (v) => v.constant?.dtype === 'int8' && v.constant.dims.length === 4,
    ),
  ).toHaveLength(1);
  expect(result.db).toBeGreaterThan(25);
});

test('keepFloat takes names, patterns and op types, and says so', async () => {
  const model = layers['Conv, SiLU, Conv']![0];

  const byTensor = await quantized(model, { keepFloat: ['H'] });
  const byOp = await quantized(model, { keepFloat: ['Conv'] });

  expect(byTensor.details.float).toEqual([
    { tensor: 'H', op: 'Conv', reason: 'keepFloat names it' },
  ]);
  expect(byOp.details.convMacs8bit).toBe(0);
  await expect(quantized(model, { keepFloat: ['model.22.*'] })).rejects.toMatchObject({
    code: 'PATTERN_MATCHES_NOTHING',
    message: expect.stringContaining('model.22.*'),
  });
});

test('a nearly empty channel with a large bias gets a larger scale, and that is told', async () => {
  const W = randomWeight([8, 4, 1, 1], 1);
  const data = Float32Array.from(W.data, (w, i) => (i < 4 ? w * 1e-12 : w));
  const model = modelOf(
    `(${X}, float[8,4,1,1] W, float[8] B) => (float[1,8,10,10] Y) { Y = Conv(X, W, B) }`,
    {
      W: { dims: W.dims, data },
      B: { dims: [8], data: [3, 0.1, 0.2, 0.3, -0.1, -0.2, 0, 0.5] },
    },
  );

  const { db, details } = await quantized(model);

  expect(db).toBeGreaterThan(30);
  expect(details.warnings).toEqual([expect.stringContaining("'W'")]);
});

test('constant tensors and zero ranges do not break anything', async () => {
  const model = modelOf(
    `(${X}, float[4,4,1,1] W, float[4] B) => (float[1,4,10,10] Y) { Z = Sub(X, X) Y = Conv(Z, W, B) }`,
    {
      W: randomWeight([4, 4, 1, 1], 1),
      B: { dims: [4], data: [0, 0, 0, 0] },
    },
  );

  expect((await quantized(model)).db).toBe(Number.POSITIVE_INFINITY);
});

test('tensors whose shape depends on what is fed are calibrated all the same', async () => {
  const model = modelOf(
    `(float[8,4] X, float[4,3] W, int64[1] A) => (float[N,3] Y) {
       M = ReduceMean<keepdims=0>(X, A) T = ReduceMean<keepdims=0>(X) C = Less(M, T)
       R = Compress<axis=0>(X, C) Y = MatMul(R, W) }`,
    { W: randomWeight([4, 3], 1), A: shapeWeight(1) },
  );

  const { details, db } = await quantized(model);

  expect(details.tensors.map((t) => t.tensor)).toEqual(['R']);
  expect(db).toBeGreaterThan(30);
});

const notFinite: Record<string, [Model, object]> = {
  'a weight': [
    modelOf(`(${X}, float[2,4,1,1] W) => (float[1,2,10,10] Y) { Y = Conv(X, W) }`, {
      W: { dims: [2, 4, 1, 1], data: [1, 2, Number.NaN, 4, 5, 6, 7, 8] },
    }),
    { code: 'WEIGHT_NOT_FINITE', message: expect.stringContaining("'W'") },
  ],
  'an activation': [
    modelOf(
      `(${X}, float[2,4,1,1] W) => (float[1,2,10,10] Y) { M = Neg(X) A = Abs(X) N = Sub(M, A) R = Sqrt(N) Y = Conv(R, W) }`,
      { W: randomWeight([2, 4, 1, 1], 1) },
    ),
    { code: 'ACTIVATION_NOT_FINITE', message: expect.stringContaining("'R'") },
  ],
};

test.each(Object.entries(notFinite))('%s that is NaN is named', async (_, [model, error]) => {
  await expect(quantized(model)).rejects.toMatchObject(error);
});

test.each(Object.keys(CALIBRATORS) as CalibratorName[])(
  'calibrator %s is used where it is named',
  async (calibrator) => {
    const { details, db } = await quantized(layers['Conv, SiLU, Conv']![0], { calibrator });

    expect(new Set(details.tensors.map((t) => t.calibrator))).toEqual(new Set([calibrator]));
    expect(db).toBeGreaterThan(15);
  },
);

test('cheap output layers of a model with several stay in float', async () => {
  const model = modelOf(
    `(float[1,16,20,20] X, float[64,16,3,3] W, float[1,64,1,1] P, float[2,64,1,1] Q) => (float[1,1,18,18] A, float[1,2,18,18] B) {
       H = Conv(X, W) R = Relu(H) A = Conv(R, P) B = Conv(R, Q) }`,
    {
      W: randomWeight([64, 16, 3, 3], 1),
      P: randomWeight([1, 64, 1, 1], 2),
      Q: randomWeight([2, 64, 1, 1], 3),
    },
  );

  const { details } = await quantized(model);

  expect(details.float.map((f) => f.tensor)).toEqual(['A', 'B']);
  expect(details.convMacs8bit).toBeGreaterThan(0.95);
});

test('two runs give the same bytes', async () => {
  const [a, b] = [
    await quantized(layers['Conv, SiLU, Conv']![0]),
    await quantized(layers['Conv, SiLU, Conv']![0]),
  ];

  expect(a.details).toEqual(b.details);
});
