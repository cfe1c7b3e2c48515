/** @file Criterion `hessian`: the second-order change of the loss, curvature by its diagonal. */

import type { Criterion } from './criterion.ts';
import { producerWeights } from './group-parts.ts';
import { perChannel } from './slices.ts';

/**
 * Optimal brain damage over a channel, with the diagonal of the empirical Fisher matrix for the Hessian's:
 *
 *     score_c = ½ Σ_{i in c} h_i·w_i²        h_i = mean over samples of (∂L_n/∂w_i)²
 *
 * With random output cotangents h is the diagonal of the Gauss-Newton matrix of the squared error of the outputs.
 * Source: LeCun et al., Optimal Brain Damage, 1990; Kunstner et al., Limitations of the empirical Fisher approximation, 2019
 */
export const hessian: Criterion = {
  summary:
    'Second-order change of the loss: squared weights times a diagonal Gauss-Newton curvature.',
  needs: 'gradients',
  watch({ group }) {
    const weights = producerWeights(group);
    const sums = new Float64Array(group.size);
    let runs = 0;
    return {
      taps: weights.map(({ value, axis }) => ({ reduce: 'squaredGate', value, axis })),
      see(numbers) {
        runs++;
        for (const [i, { indices }] of weights.entries())
          for (const [c, x] of perChannel(numbers[i]!, indices).entries()) sums[c]! += x;
      },
      scores: () => sums.map((s) => s / 2 / Math.max(1, runs)),
    };
  },
};
