import { expect } from 'vitest';
import type { CalibratorContext } from '../../../workers/quantization/calibrators/calibrator.ts';
import { entropyThreshold, magnitudes } from '../../../workers/quantization/calibrators/entropy.ts';
import { percentileRange } from '../../../workers/quantization/calibrators/percentile.ts';
import { CALIBRATORS } from '../../../workers/quantization/calibrators/registry.ts';
import { Histogram } from '../../../workers/quantization/histogram.ts';
import { asymmetric, fakeQuantize, symmetric } from '../../../workers/quantization/scale.ts';
import { type OracleTensor, relative } from './tolerance.ts';

interface MseEntry {
  readonly mse: number;
}

interface EntropyEntry {
  readonly levels: number;
  readonly divergence: number;
  readonly curve: OracleTensor;
  readonly curve_first_bins: number;
}

export interface CalibratorCase {
  readonly batches: readonly OracleTensor[];
  readonly count: number;
  readonly min_max: {
    readonly range: readonly [number, number];
    readonly uint8: { readonly scale: number; readonly zero_point: number };
    readonly int8_symmetric_scale: number;
    readonly int16_symmetric_scale: number;
  };
  readonly percentile: {
    readonly entries: readonly { readonly p: number; readonly range: readonly [number, number] }[];
    readonly tolerance_abs_with_a_2048_bin_histogram: number;
  };
  readonly mse: { readonly int8_symmetric: MseEntry; readonly uint8_asymmetric: MseEntry };
  readonly entropy: {
    readonly levels_128: EntropyEntry;
    readonly levels_256: EntropyEntry;
    readonly bins: number;
    readonly abs_max: number;
  };
}

const UINT8: CalibratorContext = { format: 'uint8', symmetric: false };
const INT8: CalibratorContext = { format: 'int8', symmetric: true };

export function calibrator(c: CalibratorCase): void {
  const histogram = new Histogram();
  for (const batch of c.batches) histogram.add(Float32Array.from(batch.data));

  expect(histogram.count).toBe(c.count);
  minmax(c, histogram);
  for (const { p, range } of c.percentile.entries) {
    const found = percentileRange(histogram, p);
    const width = c.percentile.tolerance_abs_with_a_2048_bin_histogram;
    expect(Math.abs(found.min - range[0]), `p ${p} low`).toBeLessThanOrEqual(width);
    expect(Math.abs(found.max - range[1]), `p ${p} high`).toBeLessThanOrEqual(width);
  }
  expect(errorOf(c, histogram, UINT8)).toBeLessThanOrEqual(1.02 * c.mse.uint8_asymmetric.mse);
  expect(errorOf(c, histogram, INT8)).toBeLessThanOrEqual(1.02 * c.mse.int8_symmetric.mse);
  for (const entry of [c.entropy.levels_128, c.entropy.levels_256]) entropy(c, histogram, entry);
}

function minmax({ min_max }: CalibratorCase, histogram: Histogram): void {
  const { min, max } = CALIBRATORS.minmax(histogram, UINT8);
  const absMax = Math.max(-min, max);
  const uint8 = asymmetric(min, max, 'uint8');

  expect([min, max]).toEqual(min_max.range);
  expect(uint8.zeroPoint).toBe(min_max.uint8.zero_point);
  expect(relative(uint8.scale, min_max.uint8.scale)).toBeLessThanOrEqual(1e-7);
  expect(
    relative(symmetric(absMax, 'int8').scale, min_max.int8_symmetric_scale),
  ).toBeLessThanOrEqual(1e-7);
  expect(
    relative(symmetric(absMax, 'int16').scale, min_max.int16_symmetric_scale),
  ).toBeLessThanOrEqual(1e-7);
}

/** Mean squared error over the raw data at the range that `mse` chooses from the histogram. */
function errorOf({ batches, count }: CalibratorCase, histogram: Histogram, how: CalibratorContext) {
  const { min, max } = CALIBRATORS.mse(histogram, how);
  const quantizer = how.symmetric
    ? symmetric(Math.max(-min, max), how.format)
    : asymmetric(min, max, how.format);
  let sum = 0;
  for (const { data } of batches)
    for (const x of Array.from(data)) sum += (x - fakeQuantize(x, quantizer)) ** 2;
  return sum / count;
}

/** Our bins are finer ones joined, so a value next to an edge may fall beside: read what the choice costs on the oracle's curve. */
function entropy({ entropy: e }: CalibratorCase, histogram: Histogram, entry: EntropyEntry): void {
  const { best } = entropyThreshold(magnitudes(histogram, e.abs_max), e.abs_max, entry.levels);

  const cost = entry.curve.data[best - entry.curve_first_bins]!;
  expect(cost).toBeLessThanOrEqual(1.1 * entry.divergence + 1e-4);
}
