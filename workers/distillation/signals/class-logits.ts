/** @file Class logits: what the teacher thinks of every class, not of the best one alone. */

import { castLike } from '../../autodiff/cast.ts';
import { divergence, meanOf, meanOverLocations } from './divergence.ts';
import { toDouble } from './double.ts';
import type { Signal } from './signal.ts';

/**
 * L = T² mean over rows and locations of Σ_c p_c (ln p_c − ln q_c), logits [N, C] or [B, C, A], softmax over axis 1.
 * In double: a student near its teacher makes the difference of logarithms vanish in float32.
 * Source: Hinton 2015, Distilling the Knowledge in a Neural Network.
 */
export const logitDivergence: Signal = {
  summary: 'Class logits of one class per place: KL between softmaxes at a temperature.',
  reads: 'classes',
  build(g, student, teacher, { temperature = 1, locationWeight }) {
    const loss = divergence(g, toDouble(g, student), toDouble(g, teacher), 1, temperature);
    const weight = locationWeight && toDouble(g, locationWeight);
    return castLike(g, meanOverLocations(g, loss, weight), student);
  },
};

/**
 * l = T² (softplus(x) − x·y),  x = student / T,  y = σ(teacher / T); L = mean over all elements, or with weights
 * Σ over locations of w Σ_c l / Σ w. Logits [B, C, A], weights [B, A].
 */
export const logitCrossEntropy: Signal = {
  summary: 'Class logits of independent classes: sigmoid cross-entropy to soft targets.',
  reads: 'classes',
  build(g, student, teacher, { temperature = 1, locationWeight }) {
    const x = g.scale(student, 1 / temperature);
    const y = g.sigmoid(g.scale(teacher, 1 / temperature));
    const loss = g.scale(g.sub(g.unary('Softplus', x), g.mul(x, y)), temperature ** 2);
    if (locationWeight === undefined) return meanOf(g, loss);
    return meanOverLocations(g, g.sum(loss, [1], false), locationWeight);
  },
};
