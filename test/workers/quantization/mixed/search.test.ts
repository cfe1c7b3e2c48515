/** @file The least number of flips that holds, found in few trials. */

import { expect, test } from 'vitest';

import { holds } from '../../../../workers/quantization/mixed/quantize-mixed.ts';
import { leastThatHolds } from '../../../../workers/quantization/mixed/search.ts';

/** Agreement rises by 0.01 a flip from 0.9. */
const trialAt = (limit: number, tried: number[]) => async (n: number) => {
  tried.push(n);
  const agreement = 0.9 + 0.01 * n;
  return { flips: n, convMacs8bit: 1 - n / 20, agreement, drop: null, held: n >= limit };
};

test.each([
  [0, 20, 0],
  [1, 20, 1],
  [7, 20, 7],
  [20, 20, 20],
  [21, 20, 20],
  [5, 3, 3],
  [1, 0, 0],
])('holds from %i flips on, %i there are: %i are kept', async (limit, most, kept) => {
  const tried: number[] = [];

  const found = await leastThatHolds(most, trialAt(limit, tried));

  expect(found.kept.flips).toBe(kept);
  expect(found.trials.map((t) => t.flips)).toEqual(tried.toSorted((a, b) => a - b));
  expect(new Set(tried).size).toBe(tried.length);
  expect(tried.length).toBeLessThanOrEqual(11);
});

test.each([
  [{ agreement: 0.98, drop: null }, { minAgreement: 0.98 }, true],
  [{ agreement: 0.98, drop: null }, { minAgreement: 0.99 }, false],
  [{ agreement: 0.9, drop: 0.004 }, { maxDrop: 0.005 }, true],
  [{ agreement: 0.9, drop: 0.006 }, { maxDrop: 0.005 }, false],
  [{ agreement: 0.996, drop: null }, { maxDrop: 0.005 }, true],
  [{ agreement: 0.99, drop: null }, { maxDrop: 0.005 }, false],
  [{ agreement: 0.99, drop: -0.01 }, { maxDrop: 0, minAgreement: 0.995 }, false],
  [{ agreement: 0.2, drop: 0.3 }, {}, true],
])('%o within %o: %s', (standing, budget, expected) => {
  expect(holds(standing, budget)).toBe(expected);
});
