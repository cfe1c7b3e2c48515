/** @file Attention maps: where features are strong, whatever their number of channels. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { Signal } from './signal.ts';

/** Σ_c x² over positions, divided by its L2 norm (at least 1e-12), [B, positions]. */
function attention(g: GraphBuilder, x: Value): Value {
  const [batch, , ...space] = shapeOf(x) as [number, number, ...number[]];
  const map = g.reshape(g.sum(g.mul(x, x), [1], false), [batch, sizeOf(space)]);
  const norm = g.reduce('ReduceL2', map, [1]);
  return g.div(map, g.binary('Max', norm, g.scalar(1e-12, norm)));
}

/**
 * L = mean over images of |A_student − A_teacher|². Channel counts may differ.
 * Source: Zagoruyko 2017, Paying More Attention to Attention, squared distance.
 */
export const attentionMap: Signal = {
  summary: 'Features of any width: squared distance of normalised attention maps.',
  reads: 'features',
  build(g, student, teacher) {
    const difference = g.sub(attention(g, student), attention(g, teacher));
    const total = g.sum(g.mul(difference, difference), [0, 1], false);
    return g.scale(total, 1 / shapeOf(student)[0]!);
  },
};
