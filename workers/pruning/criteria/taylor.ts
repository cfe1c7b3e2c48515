/** @file Criterion `taylor`: the first-order change of the loss, from weights and their gradients. */

import type { Criterion } from './criterion.ts';
import { producerWeights } from './group-parts.ts';
import { perChannel } from './slices.ts';

/**
 * Zeroing a channel's weights changes the loss, to first order, by −Σ w·∂L/∂w. Per sample n
 *
 *     score_c = Σ_n (Σ_{i in c} w_i·∂L_n/∂w_i)²
 *
 * the sum over the producers' filters and biases first, then the square.
 * Source: Molchanov et al., Importance Estimation for Neural Network Pruning, 2019, https://arxiv.org/abs/1906.10771
 *
 * @param changes per sample, Σ w·∂L/∂w of every channel
 */
export function squaredChanges(
  changes: Iterable<ArrayLike<number>>,
  channels: number,
): Float64Array {
  const scores = new Float64Array(channels);
  for (const change of changes) addSquares(scores, change);
  return scores;
}

export function addSquares(scores: Float64Array, change: ArrayLike<number>): void {
  for (let c = 0; c < scores.length; c++) scores[c]! += change[c]! ** 2;
}

export const taylor: Criterion = {
  summary: 'Squared first-order change of the loss, from weights and their gradients per image.',
  needs: 'gradients',
  watch({ group }) {
    const weights = producerWeights(group);
    const scores = new Float64Array(group.size);
    return {
      taps: weights.map(({ value, axis }) => ({ reduce: 'gate', value, axis })),
      see(numbers) {
        const change = new Float64Array(group.size);
        for (const [i, { indices }] of weights.entries())
          for (const [c, x] of perChannel(numbers[i]!, indices).entries()) change[c]! += x;
        addSquares(scores, change);
      },
      scores: () => scores,
    };
  },
};
