/** @file Quiet channels beside loud ones: found from channel variances, and left in float. */

import { expect, test } from 'vitest';

import type { Model } from '../../../workers/onnx/graph.ts';
import { ChannelMoments } from '../../../workers/quantization/channel-moments.ts';
import { DROWNED, signalLost } from '../../../workers/quantization/drowned.ts';
import { modelOf, randomWeight, type Weight } from '../../helpers/tiny-model.ts';
import { quantized } from './quantized.ts';

const STEP = Math.sqrt(12); // whose rounding noise is 1

const depthwise = convOf('float[3,1,1,1] W', [3, 1, 1, 1], 3);
const dense = convOf('float[1,3,1,1] W', [1, 3, 1, 1], 1);

function convOf(declaration: string, dims: readonly number[], group: number) {
  const channels = dims[0]!;
  const model = modelOf(
    `(float[1,3,2,2] X, ${declaration}) => (float[1,${channels},2,2] Y) { Y = Conv<group=${group}>(X, W) }`,
    { W: { dims, data: [1, 1, 1] } },
  );
  return model.graph.nodes[0]!;
}

const losses = {
  'depth-wise: each channel by itself': [depthwise, [1000, 4, 2], (0.001 + 0.25 + 0.5) / 3],
  'dense: loud channels carry the sum': [dense, [1000, 4, 2], 3 / 1006],
  'a channel that is off does not count': [depthwise, [1000, 4, 0], (0.001 + 0.25) / 2],
  'a channel below the noise is lost once': [depthwise, [1000, 1000, 0.1], (0.002 + 1) / 3],
  'another number of channels tells nothing': [depthwise, [1, 2], 0],
} as const;

test.each(Object.entries(losses))('%s', (_, [conv, variances, expected]) => {
  expect(signalLost(conv, Float64Array.from(variances), STEP)).toBeCloseTo(expected, 10);
});

test('moments of channels are those of all images together, after the activation', () => {
  const moments = new ChannelMoments((x) => 2 * x);
  moments.add(Float32Array.of(1, 3, 10, 10), [1, 2, 1, 2]);
  moments.add(Float32Array.of(5, 7, 10, 10), [1, 2, 1, 2]);

  expect([...moments.means()]).toEqual([8, 20]);
  expect([...moments.variances()]).toEqual([20, 0]);
});

test('tensors without channels have no moments', () => {
  const moments = new ChannelMoments(undefined);
  moments.add(Float32Array.of(1, 2, 3, 4), [2, 2]);

  expect([...moments.means()]).toEqual([]);
});

const loud = (dims: readonly number[], seed: number, gains: readonly number[]): Weight => {
  const { data } = randomWeight(dims, seed);
  const perRow = data.length / dims[0]!;
  return {
    dims,
    data: Float32Array.from(data, (w, i) => w * gains[Math.floor(i / perRow)]!),
  };
};

/** H has one channel that is much louder than the others; D sees them one at a time; P hardly costs anything. */
const uneven = (gains: readonly number[]): Model =>
  modelOf(
    `(float[1,32,24,24] X, float[4,32,5,5] W, float[4,1,1,1] D, float[4,4,1,1] P) => (float[1,4,20,20] Y) {
       H = Conv(X, W) S = Conv<group=4>(H, D) Y = Conv(S, P) }`,
    {
      W: loud([4, 32, 5, 5], 1, gains),
      D: { dims: [4, 1, 1, 1], data: gains.map((g) => 1 / g) },
      P: randomWeight([4, 4, 1, 1], 3),
    },
  );

test('a tensor that one scale cannot hold stays in float, as does the layer that reads it', async () => {
  const { details, db } = await quantized(uneven([300, 1, 1, 1]));

  expect(details.float).toEqual([
    { tensor: 'S', op: 'Conv', reason: expect.stringContaining('its input would drown') },
    { tensor: 'H', op: 'Conv', reason: expect.stringContaining('the result only') },
  ]);
  expect(db).toBeGreaterThan(25);
});

test('channels that are as loud as each other share a scale', async () => {
  const { details } = await quantized(uneven([1.9, 1.1, 1.3, 0.8]));

  expect(details.float).toEqual([]);
  expect(DROWNED).toBeGreaterThan(0);
});

test('a drowned layer comes before output layers where both do not fit what may stay in float', async () => {
  const gains = [300, 1, 1, 1];
  const model = modelOf(
    `(float[1,32,24,24] X, float[4,32,5,5] W, float[4,1,3,3] D, float[8,4,1,1] P, float[10,4,1,1] Q) =>
       (float[1,8,20,20] Y, float[1,10,20,20] Z) {
       H = Conv(X, W) S = Conv<group=4, pads=[1,1,1,1]>(H, D) Y = Conv(S, P) Z = Conv(S, Q) }`,
    {
      W: loud([4, 32, 5, 5], 1, gains),
      D: loud(
        [4, 1, 3, 3],
        2,
        gains.map((g) => 1 / g),
      ),
      P: randomWeight([8, 4, 1, 1], 3),
      Q: randomWeight([10, 4, 1, 1], 4),
    },
  );

  const { details, db } = await quantized(model);

  expect(details.float.map((f) => f.tensor)).toEqual(['S', 'Y', 'H']);
  expect(db).toBeGreaterThan(25);
});
