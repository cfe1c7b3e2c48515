/** @file What a calibrator is. */

import type { Format } from '../formats.ts';
import type { Histogram } from '../histogram.ts';

export interface Range {
  readonly min: number;
  readonly max: number;
}

export interface CalibratorContext {
  readonly format: Format;
  readonly symmetric: boolean;
  /** What the consumer makes of the tensor before anything else: errors are judged after it. */
  readonly activation?: (x: number) => number;
}

/** Chooses the range that a tensor's codes will span, from what its histogram remembers. */
export type Calibrator = (histogram: Histogram, context: CalibratorContext) => Range;

export const minmax: Calibrator = ({ min, max }) => ({ min, max });

/** Extremes of each image, averaged (Histogram): one odd image moves the range little. */
export const movingAverage: Calibrator = ({ averageMin, averageMax }) => ({
  min: averageMin,
  max: averageMax,
});
