/** @file The range and quantizer of one tensor, and what rounding to it leaves. */

import type { CalibratorContext, Range } from './calibrators/calibrator.ts';
import { meanSquaredError, occupied, quantizerFor } from './calibrators/mse.ts';
import { CALIBRATORS, type CalibratorName } from './calibrators/registry.ts';
import { FORMATS } from './formats.ts';
import type { Histogram } from './histogram.ts';
import type { QuantizedTensor } from './placement.ts';
import type { Activations } from './profiles.ts';
import type { Quantizer } from './scale.ts';

export interface Chosen {
  readonly quantizer: Quantizer;
  readonly calibrator: CalibratorName;
  readonly histogram: Histogram;
}

/** Calibrators that `auto` tries, the first first at equal errors. */
const CANDIDATES = ['mse', 'minmax', 'percentile'] as const satisfies readonly CalibratorName[];

/** What 16-bit ranges have to spare beyond the extremes: images that were not seen go further, and a code is cheap. */
const HEADROOM = 2;

/**
 * `auto`: the range of every candidate, and the one with the least error over the histogram. 16-bit codes are finer than its
 * bins, which then say nothing of rounding; and with so many codes nothing is gained by leaving extremes out: one bit of them
 * is given to what lies beyond.
 */
export function chooseRange(
  { activation }: QuantizedTensor,
  histogram: Histogram,
  { format, symmetric }: Activations,
  name: CalibratorName | 'auto',
): Chosen {
  const context: CalibratorContext = {
    format,
    symmetric,
    ...(activation && { activation }),
  };
  const from = (calibrator: CalibratorName): Chosen & { range: Range } => {
    const range = CALIBRATORS[calibrator](histogram, context);
    return { range, calibrator, histogram, quantizer: quantizerFor(range, context) };
  };
  if (name !== 'auto') return from(name);
  if (FORMATS[format].max - FORMATS[format].min >= histogram.counts.length) {
    const [min, max] = [HEADROOM * histogram.min, HEADROOM * histogram.max];
    return { ...from('minmax'), quantizer: quantizerFor({ min, max }, context) };
  }
  const bins = occupied(histogram, activation);
  const scored = CANDIDATES.map((calibrator) => {
    const choice = from(calibrator);
    return {
      choice,
      error: meanSquaredError(bins, quantizerFor(choice.range, context), activation),
    };
  });
  return scored.reduce((best, s) => (s.error < best.error ? s : best)).choice;
}

export interface TensorReport {
  readonly tensor: string;
  readonly min: number;
  readonly max: number;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly calibrator: string;
  /** Signal to rounding noise over the calibration images, dB. */
  readonly sqnrDb: number;
}

export function reportTensor(
  tensor: string,
  { quantizer, calibrator, histogram }: Chosen,
): TensorReport {
  const bins = occupied(histogram, undefined);
  const noise = meanSquaredError(bins, quantizer, undefined);
  const signal = bins.x.reduce((sum, x, i) => sum + bins.weight[i]! * x * x, 0);
  return {
    tensor,
    min: histogram.min,
    max: histogram.max,
    scale: quantizer.scale,
    zeroPoint: quantizer.zeroPoint,
    calibrator,
    sqnrDb: noise === 0 ? 200 : Math.min(200, 10 * Math.log10(signal / noise)),
  };
}
