/** @file Signal to noise of outputs whose parts have scales of their own. */

import { expect, test } from 'vitest';

import { PartNoise } from '../../../workers/runtime/part-noise.ts';

const tensor = (dims: number[], data: number[]) => ({
  dtype: 'float32' as const,
  dims,
  data: Float32Array.from(data),
});

test('a large part does not hide the noise of a small one', () => {
  const noise = new PartNoise([new Set(), new Set([1])]);
  noise.add(tensor([2, 2], [100, 1, 100, 1]), tensor([2, 2], [101, 0, 99, 1]));

  expect(noise.db()[0]).toBeCloseTo(40, 5);
  expect(noise.db()[1]).toBeCloseTo(10 * Math.log10(2), 5);
});

test('sums run over all calls; equal parts count as 100 dB, silent ones not at all', () => {
  const noise = new PartNoise([new Set([1, 2])]);
  for (const y of [1, 3]) noise.add(tensor([3], [2, 5, 0]), tensor([3], [y, 5, 0]));

  expect(noise.db()).toEqual([10 * Math.log10(8 / 2), 100]);
});

test('outputs of other shapes are passed over', () => {
  const noise = new PartNoise([]);
  noise.add(tensor([2], [1, 2]), tensor([3], [1, 2, 3]));

  expect(noise.db()).toEqual([]);
});
