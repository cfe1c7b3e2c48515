import { type Calibrator, minmax, movingAverage } from './calibrator.ts';
import { entropy } from './entropy.ts';
import { lpNorm } from './lp-norm.ts';
import { mse } from './mse.ts';
import { percentile } from './percentile.ts';

/** Ways to choose a tensor's range. One line each. */
export const CALIBRATORS = {
  minmax,
  'moving-average': movingAverage,
  percentile,
  mse,
  'lp-norm': lpNorm,
  entropy,
} as const satisfies Record<string, Calibrator>;

export type CalibratorName = keyof typeof CALIBRATORS;
