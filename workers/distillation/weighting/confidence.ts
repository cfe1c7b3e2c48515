/** @file Weight by the certainty of the teacher, place by place. */

import { int } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { defineWeighting } from './weighting.ts';

export interface ConfidenceOptions {
  readonly lambda: number;
  /** Exponent: 0 counts all locations alike, larger ones favour what the teacher is sure of. */
  readonly gamma: number;
  readonly activation: 'sigmoid' | 'softmax';
}

/**
 * w_a = (max over classes of activation(teacher logits)_a)^γ at each location a; the signal's loss is
 * Σ w·l / max(Σ w, 1e-9) over images and locations, times λ.
 */
export const confidence = defineWeighting({
  summary: 'Counts each location by how certain the teacher is there.',
  defaults: { lambda: 1, gamma: 1, activation: 'sigmoid' } as ConfidenceOptions,
  start: () => ({}),
  next: (state) => state,
  weight: (_, { lambda }) => lambda,
  locations(g, logits, { gamma, activation }) {
    const most =
      activation === 'sigmoid'
        ? logistic(g, g.reduce('ReduceMax', logits, [1], false))
        : g.reduce('ReduceMax', g.unary('Softmax', logits, { axis: int(1) }), [1], false);
    return gamma === 1 ? most : g.pow(most, g.scalar(gamma, most));
  },
});

/** 1 / (1 + e^(−x)): ONNX Runtime's float32 Sigmoid is an approximation, 2e-6 off where small. */
const logistic = (g: GraphBuilder, x: Value): Value =>
  g.unary('Reciprocal', g.plus(g.exp(g.neg(x)), 1));
