import { expect } from 'vitest';

/** A tensor of a case. */
export interface OracleTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** What a case allows: relative to each element, and to the largest magnitude. */
export interface Tolerance {
  readonly rel: number;
  readonly abs_of_max?: number;
}

/** Every number within rel · |expected| + abs_of_max · max |expected|. */
export function expectClose(
  actual: ArrayLike<number>,
  { data }: OracleTensor,
  { rel, abs_of_max = 0 }: Tolerance,
  what: string,
): void {
  const most = Math.max(...Array.from(data, Math.abs));
  expect(actual.length, `length of ${what}`).toBe(data.length);
  for (const [i, x] of data.entries())
    expect(Math.abs(actual[i]! - x), `${what} at ${i}: ${actual[i]}, not ${x}`).toBeLessThanOrEqual(
      rel * Math.abs(x) + abs_of_max * most,
    );
}

/** No number further from the expected one than `most`. */
export function expectWithin(
  actual: ArrayLike<number>,
  { data }: OracleTensor,
  most: number,
  what: string,
): void {
  expect(actual.length, `length of ${what}`).toBe(data.length);
  for (const [i, x] of data.entries())
    expect(Math.abs(actual[i]! - x), `${what} at ${i}`).toBeLessThanOrEqual(most);
}
