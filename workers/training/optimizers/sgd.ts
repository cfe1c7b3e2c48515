/** @file Stochastic gradient descent with (Nesterov) momentum. */

import type { Optimizer } from './optimizer.ts';

/**
 *     g ← g + decay·w      v ← μ·v + g      w ← w − lr·(g + μ·v)      without nesterov: w ← w − lr·v
 *
 * v starts at 0, so that the first v is g. Source: Sutskever 2013; the form is PyTorch's.
 */
export const sgd: Optimizer = {
  summary: 'Stochastic gradient descent with momentum.',
  states: ['momentum'],
  scalars: () => ({}),
  update({ g, w, grad, states: [v], decay, lr }, { momentum, nesterov }) {
    const pulled = decay === 0 ? grad : g.add(grad, g.scale(w, decay));
    const next = g.add(g.scale(v!, momentum), pulled);
    const step = nesterov ? g.add(pulled, g.scale(next, momentum)) : next;
    return { w: g.sub(w, g.mul(step, lr)), states: [next] };
  },
};
