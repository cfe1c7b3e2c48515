import { expect, test } from 'vitest';

import { fuzz } from './fuzz.ts';

test.each([
  ['onnx', 4000],
  ['archive', 300],
] as const)('%s: %i spoiled files are read or refused by name', async (target, inputs) => {
  const { findings, refused, peakRssBytes } = await fuzz(target, 0, inputs);

  expect(findings).toEqual([]);
  expect(refused).toBeGreaterThan(inputs / 4);
  expect(refused).toBeLessThan(inputs);
  expect(peakRssBytes).toBeLessThan(600e6);
});
