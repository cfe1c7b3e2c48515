/** @file What quantization is told. */

import type { Feed } from '../runtime/session.ts';
import type { CalibratorName } from './calibrators/registry.ts';
import type { InputDims } from './macs-at.ts';
import type { PrecisionName } from './precisions.ts';
import type { ProfileName } from './profiles.ts';

export interface QuantizeOptions {
  readonly precision: PrecisionName;
  readonly profile: ProfileName;
  readonly calibrator: CalibratorName | 'auto';
  readonly keepFloat: readonly string[];
  readonly reduceRange: boolean | 'auto';
  readonly rounding: 'nearest' | 'adaround';
  /** Whether inputs and outputs become integers: default 'float'. */
  readonly io?: 'float' | 'quantized';
  /** Of what is drawn by chance. */
  readonly seed: number;
  readonly images: number;
  /** Shapes that the feeds have. */
  readonly inputDims: InputDims;
  /** The calibration images anew, each time it is called; `from` and `to` as slice() takes them. */
  readonly feeds: (from?: number, to?: number) => AsyncIterable<Readonly<Record<string, Feed>>>;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  /** Folder for the runtime's optimised graph. */
  readonly scratch: string;
  readonly progress: (done: number, doing: string) => void;
}
