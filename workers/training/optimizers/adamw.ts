/** @file Adam with decoupled weight decay. */

import type { Optimizer } from './optimizer.ts';

/**
 *     m ← β₁m + (1 − β₁)g      v ← β₂v + (1 − β₂)g²
 *     w ← w − lr·decay·w − lr·(m / (1 − β₁ˢ)) / (√(v / (1 − β₂ˢ)) + ε)
 *
 * Source: Loshchilov 2019, Decoupled Weight Decay Regularization.
 */
export const adamw: Optimizer = {
  summary: 'Adam with decoupled weight decay.',
  states: ['mean', 'square'],
  scalars: (step, { betas }) => ({
    'mean-correction': 1 / (1 - betas[0] ** step),
    'square-correction': 1 / Math.sqrt(1 - betas[1] ** step),
  }),
  update({ g, w, grad, states: [m, v], decay, lr, scalars }, { betas: [b1, b2], epsilon }) {
    const mean = g.add(g.scale(m!, b1), g.scale(grad, 1 - b1));
    const square = g.add(g.scale(v!, b2), g.mul(g.scale(grad, 1 - b2), grad));
    const root = g.plus(g.mul(g.sqrt(square), scalars['square-correction']!), epsilon);
    const step = g.mul(lr, scalars['mean-correction']!);
    const kept = decay === 0 ? w : g.mul(w, g.sub(g.scalar(1, lr), g.scale(lr, decay)));
    return { w: g.sub(kept, g.div(g.mul(mean, step), root)), states: [mean, square] };
  },
};
