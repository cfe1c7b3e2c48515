/** @file Streaming histograms: what they remember does not depend on how the values came. */

import { expect, test } from 'vitest';

import { Histogram, stepFor } from '../../../workers/quantization/histogram.ts';

const values = Float32Array.from({ length: 5000 }, (_, i) => Math.sin(i) * (1 + i / 100));

function histogramOf(parts: readonly Float32Array[]): Histogram {
  const histogram = new Histogram();
  for (const part of parts) histogram.add(part);
  return histogram;
}

const orders: Record<string, Float32Array[]> = {
  'in one piece': [values],
  'in pieces whose range grows': [0, 1, 2, 3, 4].map((k) =>
    values.subarray(k * 1000, (k + 1) * 1000),
  ),
  'largest first': [values.toReversed()],
};

test.each(Object.entries(orders))('%s: extremes and count are exact', (_, parts) => {
  const { min, max, count, finite } = histogramOf(parts);

  expect({ min, max, count, finite }).toEqual({
    min: Math.min(...values),
    max: Math.max(...values),
    count: 5000,
    finite: true,
  });
});

test('bins keep their mass and their place when the range doubles again and again', () => {
  const histogram = histogramOf([...values].map((v) => Float32Array.of(v)));
  const total = histogram.counts.reduce((a, b) => a + b, 0);
  const mean = histogram.counts.reduce((sum, n, i) => sum + n * histogram.centre(i), 0) / total;

  expect(total).toBe(5000);
  expect(mean).toBeCloseTo(values.reduce((a, b) => a + b, 0) / 5000, 1);
});

test('memory is the same for one value and for a million', () => {
  const many = histogramOf(Array.from({ length: 200 }, () => values));

  expect(many.counts.length).toBe(histogramOf([Float32Array.of(1)]).counts.length);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  '%s is noticed',
  (bad) => {
    expect(histogramOf([Float32Array.of(1, bad, 2)]).finite).toBe(false);
  },
);

test.each([320 * 320 * 16, 160 * 160 * 32, 52 * 52 * 256, 208 * 208 * 24])(
  'a sample of %s values does not fall in step with image rows',
  (length) => {
    const step = stepFor(length, 1 << 15);

    expect([2, 5, 7, 13].filter((d) => step % d === 0)).toEqual([]);
    expect(length / step).toBeLessThanOrEqual(1 << 15);
  },
);

test('averages of extremes are means at first, and forget later', () => {
  const histogram = histogramOf([Float32Array.of(-1, 3), Float32Array.of(-3, 5)]);
  expect([histogram.averageMin, histogram.averageMax]).toEqual([-2, 4]);

  for (let i = 0; i < 1000; i++) histogram.add(Float32Array.of(-8, 8));
  expect(histogram.averageMin).toBeCloseTo(-8, 2);
  expect(histogram.min).toBe(-8);
});
