/** @file A million spoiled files through the readers of models and archives. */

import { expect, test } from 'vitest';

import { fuzz } from '../fuzz/fuzz.ts';

test.each([
  ['onnx', 900_000],
  ['archive', 100_000],
] as const)('%s: %i', { timeout: 6 * 3_600_000 }, async (target, inputs) => {
  const { findings, refused, peakRssBytes } = await fuzz(target, 1_000_000, 1_000_000 + inputs);

  console.log(JSON.stringify({ target, inputs, refused, peakRssBytes }));
  expect(findings).toEqual([]);
  expect(peakRssBytes).toBeLessThan(1e9);
});
