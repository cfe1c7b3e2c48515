/** @file Mean errors of channels: exact where they are constant, deaf where the activation is flat, kept only where other images agree. */

import { expect, test } from 'vitest';

import { ChannelErrors } from '../../../workers/quantization/channel-errors.ts';

const DIMS = [1, 2, 3, 4];
const y = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i + 0.5));
const relu = (x: number) => Math.max(0, x);

/** Less by `by[c]` in channel c, channels in the middle. */
const lowered = (by: readonly number[], where = (_: number) => true) =>
  y.map((x, i) => (where(x) ? x - by[Math.floor(i / 12)]! : x));

test.each([
  ['a constant error is found', undefined, lowered([0.5, -0.25]), [0.5, -0.25]],
  [
    'errors where the activation is flat count for nothing',
    relu,
    lowered([9, 9], (x) => x < 0),
    [0, 0],
  ],
  ['errors where it is not count in full', relu, lowered([0.1, 0.2], (x) => x > 0), [0.1, 0.2]],
] as const)('%s', (_, activation, rounded, shift) => {
  const errors = new ChannelErrors(activation, 'second');
  errors.add(true, y, rounded, DIMS);
  const found = errors.shift(2);
  expect(found[0]).toBeCloseTo(shift[0], 5);
  expect(found[1]).toBeCloseTo(shift[1], 5);
});

test('channels may lie last', () => {
  const errors = new ChannelErrors(undefined, 'last');
  errors.add(
    true,
    y,
    y.map((x, i) => x - (i % 4)),
    DIMS,
  );
  expect([...errors.shift(4)].map((d) => Math.round(d * 1e5) / 1e5)).toEqual([0, 1, 2, 3]);
});

test.each([
  ['agree', [0.4, 0.6], [0.5, 0.5]],
  ['see nothing of it', [0, 0.01], [0, 0]],
  ['see the opposite', [-0.5, 0.5], [0, 0.5]],
])('images that were not learned from %s', (_, checked, shift) => {
  const errors = new ChannelErrors(undefined, 'second');
  errors.add(true, y, lowered([0.5, 0.5]), DIMS);
  errors.add(false, y, lowered(checked), DIMS);
  expect([...errors.shift(2)].map((d) => Math.round(d * 1e5) / 1e5)).toEqual(shift);
});

test('another number of channels than expected: nothing is shifted', () => {
  const errors = new ChannelErrors(undefined, 'second');
  errors.add(true, y, lowered([1, 1]), DIMS);
  expect([...errors.shift(3)]).toEqual([0, 0, 0]);
});
