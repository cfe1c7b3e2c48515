/** @file Every precision under every profile: closer to float the more bits there are, or refused with what would do. */

import { expect, test } from 'vitest';

import { PRECISIONS, type PrecisionName } from '../../../workers/quantization/precisions.ts';
import { PROFILES, type ProfileName } from '../../../workers/quantization/profiles.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';
import { quantized } from './quantized.ts';

/** Residual, SiLU, Concat, MaxPool: what profiles differ in. */
const model = modelOf(
  `(float[1,8,16,16] X, float[8,8,3,3] W, float[8] B, float[8,8,3,3] V, float[8] C, float[6,24,1,1] P) => (float[1,6,16,16] Y) {
     H = Conv<pads=[1,1,1,1]>(X, W, B) S = Sigmoid(H) A = Mul(H, S)
     K = Conv<pads=[1,1,1,1]>(A, V, C) R = Add(A, K)
     M = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(R)
     T = Concat<axis=1>(R, M, A) Y = Conv(T, P) }`,
  {
    W: randomWeight([8, 8, 3, 3], 1),
    B: randomWeight([8], 2),
    V: randomWeight([8, 8, 3, 3], 3),
    C: randomWeight([8], 4),
    P: randomWeight([6, 24, 1, 1], 5),
  },
);

/** Signal to noise that each precision reaches, dB. */
const FLOOR: Readonly<Record<PrecisionName, number>> = { int8: 25, int16: 38, 'int16-full': 65 };

const cases = Object.keys(PROFILES).flatMap((profile) =>
  Object.keys(PRECISIONS).map((precision) => [profile, precision] as [ProfileName, PrecisionName]),
);

test.each(cases)('%s, %s', async (profile, precision) => {
  const bits = PRECISIONS[precision].activations;
  const activations = PROFILES[profile].activations[bits];
  if (!activations) {
    await expect(quantized(model, { profile, precision })).rejects.toMatchObject({
      code: 'OPTIONS_CONFLICT',
      message: expect.stringContaining('generic'),
    });
    return;
  }

  const result = await quantized(model, { profile, precision });

  expect(result.db).toBeGreaterThan(FLOOR[precision]);
  const { initializers } = result.model.graph;
  const dtypes = new Set(initializers.map((v) => v.constant!.dtype));
  expect(dtypes).toContain(PRECISIONS[precision].weights);
  expect(dtypes).toContain(activations.format);
  if (activations.symmetric) expect(zeroPoints(result.model)).toEqual(new Set([0]));
});

const zeroPoints = ({ graph }: typeof model): Set<number> =>
  new Set(
    graph.nodes
      .filter((n) => n.op === 'QuantizeLinear')
      .map((n) => n.inputs[2]!.constant!.bytes.reduce((a, b) => a + b, 0)),
  );

test('an Add that TensorRT shall fuse has both of its inputs quantized', async () => {
  const { graph } = (await quantized(model, { profile: 'tensorrt' })).model;
  const makers = new Map(graph.nodes.flatMap((n) => n.outputs.map((y) => [y, n.op] as const)));

  const add = graph.nodes.find((n) => n.op === 'Add')!;
  expect(add.inputs.map((v) => makers.get(v))).toEqual(['DequantizeLinear', 'DequantizeLinear']);
});

test('a runtime with one scale over a Concat finds one, wide enough for all', async () => {
  const { tensors } = (await quantized(model, { profile: 'tflite-like' })).details;
  const scales = new Map(tensors.map((t) => [t.tensor, t.scale]));

  const joint = ['A', 'R', 'M', 'T'].map((name) => scales.get(name));
  expect(new Set(joint).size).toBe(1);
  expect(joint[0]).not.toBe(scales.get('X'));
});

test('16 bits: a bias that is large beside its products is right however the runtime stores it', async () => {
  const biased = modelOf(
    '(float[1,4,10,10] X, float[8,4,1,1] W, float[8] B) => (float[1,8,10,10] Y) { Y = Conv(X, W, B) }',
    {
      W: randomWeight([8, 4, 1, 1], 1, 0.01),
      B: { dims: [8], data: [900, -500, 40, 3, 0.1, 0, 2, -900] },
    },
  );

  const { db, details } = await quantized(biased, { profile: 'generic', precision: 'int16-full' });

  expect(db).toBeGreaterThan(80);
  expect(details.raisedChannels['W']).toContain(0);
  expect(details.warnings).toEqual([]);
});

test('16 bits: rare extremes keep their place in the range', async () => {
  const { details } = await quantized(model, { profile: 'generic', precision: 'int16' });

  expect(new Set(details.tensors.map((t) => t.calibrator))).toEqual(new Set(['minmax']));
});
