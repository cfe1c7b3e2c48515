/** @file Everything that decides a training run besides the model and the images. */

import type { AugmentOptions } from '../data/augment/options.ts';
import type { LossName } from './losses/registry.ts';
import type { OptimizerName } from './optimizers/registry.ts';
import type { Freeze } from './parameters.ts';
import type { ScheduleName } from './schedules.ts';
import type { Pressure } from './sparsity.ts';

/** How long: passes over the images, updates, or minutes of training. */
export type Length =
  | { readonly epochs: number }
  | { readonly steps: number }
  | { readonly minutes: number };

export interface TrainSettings {
  readonly length: Length;
  /** Peak learning rate; 'auto': by the optimizer and the number of classes. */
  readonly lr: number | 'auto';
  readonly optimizer: OptimizerName;
  readonly schedule: ScheduleName;
  /** Share of the run over which the rate rises to its peak. */
  readonly warmUp: number;
  /** Images of one update. */
  readonly batch: number;
  /** Weight decay; biases and norms have none. */
  readonly decay: number | 'auto';
  /** Largest gradient norm; 0: gradients are not clipped. */
  readonly clip: number;
  readonly ema: boolean;
  /** Pressure of weights to zero; undefined: none. */
  readonly sparsify?: Pressure | undefined;
  readonly freeze: Freeze;
  readonly augment: AugmentOptions | false;
  readonly loss: LossName | 'auto';
  readonly labelSmoothing: number;
  /** Statistics of BatchNormalization: those of the batch, or as they are. */
  readonly batchStatistics: boolean;
  /** Whether the tune images are trained on too once they have decided; false. */
  readonly refit?: boolean | undefined;
  /** Evaluations without a better one after which the run ends; 0: it never ends early. */
  readonly patience: number;
  /** The judge's metric at which the run may end: nothing is left to win; undefined: it goes on. */
  readonly enough?: number | undefined;
}

/** Momentum and betas as every peer has them. */
export const OPTIMIZER_OPTIONS = {
  momentum: 0.937,
  nesterov: true,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
} as const;

const DECAY: Readonly<Record<OptimizerName, number>> = { adamw: 0.03, sgd: 5e-4 };

export const decayOf = ({ decay, optimizer }: TrainSettings): number =>
  decay === 'auto' ? DECAY[optimizer] : decay;

/** How much more norms by the statistics of the batch bear: what lies before them may change its scale freely. */
const NORMED = 3;

/**
 * AdamW: 0.01 / (4 + classes), at most 0.002: heads of few classes bear, and need, more. SGD: 5 times that. Either times 3
 * where norms go by the statistics of the batch.
 *
 * Source of the last: Ioffe & Szegedy, Batch Normalization, 2015, section 3.3
 */
export function rateOf({ lr, optimizer, batchStatistics }: TrainSettings, classes: number): number {
  if (lr !== 'auto') return lr;
  const adamw = Math.min(0.002, 0.01 / (4 + classes)) * (batchStatistics ? NORMED : 1);
  return optimizer === 'adamw' ? adamw : 5 * adamw;
}
