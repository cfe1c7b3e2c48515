/** @file What tells calibrators apart: outliers, and how much a large error counts. */

import { expect, test } from 'vitest';

import type { CalibratorContext } from '../../../workers/quantization/calibrators/calibrator.ts';
import { CALIBRATORS } from '../../../workers/quantization/calibrators/registry.ts';
import { Histogram } from '../../../workers/quantization/histogram.ts';
import { random } from '../../../workers/runtime/random.ts';

const context: CalibratorContext = { format: 'int8', symmetric: true };

/** Normal numbers, and in the last of ten images one that is far out. */
function histogram(): Histogram {
  const draw = random(1);
  const made = new Histogram();
  for (let image = 0; image < 10; image++) {
    const values = Float32Array.from({ length: 2000 }, () => draw.normal());
    if (image === 9) values[0] = 40;
    made.add(values);
  }
  return made;
}

test('from the widest range to the narrowest: minmax, moving average, lp-norm, mse', () => {
  const seen = histogram();
  const max = (name: keyof typeof CALIBRATORS) => CALIBRATORS[name](seen, context).max;

  expect(max('minmax')).toBe(40);
  expect(max('lp-norm')).toBeLessThan(40);
  expect(max('mse')).toBeLessThanOrEqual(max('lp-norm'));
  expect(max('moving-average')).toBeGreaterThan(3);
  expect(max('moving-average')).toBeLessThan(10);
});
