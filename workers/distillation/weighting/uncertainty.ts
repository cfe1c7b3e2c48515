/** @file Weights learned as log-variances. */

import { defineWeighting } from './weighting.ts';

export interface UncertaintyState {
  /** s = ln σ². */
  readonly logVariance: number;
}

/**
 * L = Σ_i ½(e^(−s_i)·L_i + s_i), one rule per loss, the task's too; the weight of loss i is ½e^(−s_i), and
 * s_i ← s_i − η·½(1 − e^(−s_i)·L_i), from 0. The network's gradient needs the weight alone: s_i is learned here.
 * Source: Kendall 2018, Multi-Task Learning Using Uncertainty.
 */
export const uncertainty = defineWeighting({
  summary: 'Learns how noisy each loss is, and weighs it by that.',
  defaults: { learningRate: 0.01, logVariance: 0 },
  start: ({ logVariance }): UncertaintyState => ({ logVariance }),
  next(state, { loss }, { learningRate }) {
    if (loss === undefined) return state;
    return { logVariance: state.logVariance - learningRate * logVarianceGradient(state, loss) };
  },
  weight: ({ logVariance }) => Math.exp(-logVariance) / 2,
});

/** dL/ds = ½(1 − e^(−s)·loss). */
export const logVarianceGradient = ({ logVariance }: UncertaintyState, loss: number): number =>
  (1 - Math.exp(-logVariance) * loss) / 2;

/** ½(e^(−s)·loss + s): one loss's part of the whole. */
export const uncertainLoss = ({ logVariance }: UncertaintyState, loss: number): number =>
  (Math.exp(-logVariance) * loss + logVariance) / 2;
