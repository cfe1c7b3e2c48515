/** @file AdaRound over whole models: weights still within a step of float, results closer to it. */

import { expect, test } from 'vitest';

import { floatsOf, numbersOf } from '../../../../workers/onnx/values.ts';
import { random } from '../../../../workers/runtime/random.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';
import { quantized } from '../quantized.ts';

const float = modelOf(
  `(float[1,8,24,24] X, float[6,8,3,3] W, float[6] B, float[4,6,3,3] V) => (float[1,4,20,20] Y) {
     H = Conv(X, W, B) S = Sigmoid(H) A = Mul(H, S) Y = Conv(A, V) }`,
  {
    W: randomWeight([6, 8, 3, 3], 1),
    B: randomWeight([6], 2),
    V: randomWeight([4, 6, 3, 3], 3),
  },
);

/** Neighbours see nearly the same, and all are positive: errors of several weights can cancel. */
const smooth = Array.from({ length: 8 }, (_, image) => {
  const draw = random(image);
  const [phase, tilt] = [draw.uniform() * 6, draw.normal()];
  const wave = (i: number) => Math.sin((i % 24) / 5 + phase + tilt * Math.floor(i / 24));
  const data = Float32Array.from({ length: 8 * 576 }, (_, i) => 1 + wave(i) + 0.2 * draw.normal());
  return { X: { dims: [1, 8, 24, 24], data } };
});

const feeds = async function* (from?: number, to?: number) {
  yield* smooth.slice(from, to);
};

test('every layer gains, no weight moves further than to its neighbour, and the model is closer to float', async () => {
  const { model, details } = await quantized(float, {
    precision: 'int16',
    rounding: 'adaround',
    images: smooth.length,
    feeds,
  });

  expect(details.rounding!.map((r) => r.tensor)).toEqual(['H', 'Y']);
  for (const { ratio } of details.rounding!) expect(ratio).toBeLessThan(0.8);
  // With or without biases measured on top.
  expect(details.choice!.kept).toMatch(/^adaround/);
  expect(details.choice!.sqnrDb['adaround']).toBeGreaterThan(details.choice!.sqnrDb['plain']! + 2);
  const moved = distances(model);
  expect(Math.max(...moved)).toBeLessThan(1);
  expect(moved.filter((d) => d > 0.5).length).toBeGreaterThan(10);
});

/** How far the codes of W, those at the end of the range left out, lie from W / s. */
function distances({ graph }: typeof float): number[] {
  const constants = new Map(graph.initializers.map((v) => [v.name, v.constant!]));
  const scales = numbersOf(constants.get('W/scale')!);
  const w = floatsOf(float.graph.initializers[0]!.constant!);
  return numbersOf(constants.get('W/quantized')!).flatMap((q, i) =>
    Math.abs(q) >= 127 ? [] : Math.abs(q - w[i]! / scales[Math.floor(i / 72)]!),
  );
}

test('the same seed gives the same roundings', async () => {
  const runs = [0, 1].map(() => quantized(float, { rounding: 'adaround', feeds }));
  const [a, b] = await Promise.all(runs);

  expect(a!.details).toEqual(b!.details);
});
