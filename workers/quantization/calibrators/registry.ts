import { type Calibrator, minmax } from './calibrator.ts';
import { entropy } from './entropy.ts';
import { mse } from './mse.ts';
import { percentile } from './percentile.ts';

/** Ways to choose a tensor's range. One line each. */
export const CALIBRATORS = {
  minmax,
  percentile,
  mse,
  entropy,
} as const satisfies Record<string, Calibrator>;

export type CalibratorName = keyof typeof CALIBRATORS;
