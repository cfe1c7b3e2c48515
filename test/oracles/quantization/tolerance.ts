import { expect } from 'vitest';

/** A tensor of an oracle case, read; 64-bit integers as numbers. */
export interface OracleTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

export const relative = (found: number, expected: number): number =>
  found === expected ? 0 : Math.abs(found - expected) / Math.max(Math.abs(expected), 1e-300);

/** Each element within `rel` of its own magnitude, or within `relOfMax` of the largest expected one. */
export function expectWithin(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rel = 0, relOfMax = 0, abs = 0 }: { rel?: number; relOfMax?: number; abs?: number },
): void {
  expect(found.length).toBe(expected.length);
  const largest = Array.from(expected).reduce((m, x) => Math.max(m, Math.abs(x)), 0);
  const off = Array.from(found, (x, i) => ({ i, found: x, expected: expected[i]! })).filter(
    (e) =>
      !(Math.abs(e.found - e.expected) <= rel * Math.abs(e.expected) + relOfMax * largest + abs),
  );
  expect(off.slice(0, 5)).toEqual([]);
}
