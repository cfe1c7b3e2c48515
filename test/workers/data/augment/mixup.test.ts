import { expect, test } from 'vitest';

import { drawLambda, mix } from '../../../../workers/data/augment/mixup.ts';
import { random } from '../../../../workers/runtime/random.ts';

test.each([0.02, 0.2, 0.5, 1])('λ has mean and variance of Beta(%f, %f)', (alpha) => {
  const rng = random(3);
  const drawn = Array.from({ length: 20_000 }, () => drawLambda(rng, alpha));
  const mean = drawn.reduce((a, b) => a + b) / drawn.length;
  const variance = drawn.reduce((a, b) => a + (b - mean) ** 2, 0) / drawn.length;

  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...drawn)).toBeLessThanOrEqual(1);
  expect(mean).toBeCloseTo(0.5, 1.7);
  expect(variance).toBeCloseTo(1 / (4 * (2 * alpha + 1)), 2);
});

test('pixels and targets are mixed in the same shares', () => {
  const pixels = Uint8Array.of(0, 100, 255);
  const targets = Float32Array.of(1, 0);
  mix(pixels, Uint8Array.of(200, 100, 255), 0.75);
  mix(targets, Float32Array.of(0, 1), 0.75);

  expect([...pixels]).toEqual([50, 100, 255]);
  expect([...targets]).toEqual([0.75, 0.25]);
});
