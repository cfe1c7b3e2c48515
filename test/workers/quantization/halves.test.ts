/** @file Images of two kinds in one calibration set are noticed; the ordinary spread of images is not. */

import { expect, test } from 'vitest';

import { random } from '../../../workers/runtime/random.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';
import { quantized } from './quantized.ts';

const net = modelOf(
  '(float[1,3,8,8] X, float[4,3,3,3] W, float[2,4,1,1] V) => (float[1,2,6,6] Y) { H = Conv(X, W) R = Relu(H) Y = Conv(R, V) }',
  { W: randomWeight([4, 3, 3, 3], 1), V: randomWeight([2, 4, 1, 1], 2) },
);

/** @param gain of image i: how much contrast it has */
const images = (count: number, gain: (i: number) => number) =>
  Array.from({ length: count }, (_, i) => {
    const { uniform } = random(i);
    const data = Float32Array.from({ length: 3 * 64 }, () => gain(i) * (uniform() - 0.5));
    return { X: { dims: [1, 3, 8, 8], data } };
  });

test.each([
  ['alike', 24, () => 1, 0],
  ['of any contrast, mixed', 24, (i: number) => 1 + (i % 3), 0],
  ['bright ones, then dim ones', 24, (i: number) => (i < 12 ? 4 : 1), 1],
  ['bright ones, then black ones', 24, (i: number) => (i < 12 ? 1 : 0), 1],
  ['two kinds, too few to say', 8, (i: number) => (i < 4 ? 4 : 1), 0],
])('images %s', async (_, count, gain, warnings) => {
  const set = images(count, gain);

  const { details } = await quantized(net, {
    images: count,
    async *feeds(from, to) {
      yield* set.slice(from, to);
    },
  });

  const found = details.warnings.filter((w) => w.includes('halves of the calibration images'));
  expect(found).toHaveLength(warnings);
});
