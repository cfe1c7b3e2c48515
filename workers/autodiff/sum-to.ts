import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { type Shape, shapeOf } from '../onnx/static-shapes.ts';

/**
 * Undo broadcasting: sum `d` over every axis along which a tensor of `shape` was stretched.
 *
 *     y = broadcast(x)  ⇒  dx[i] = Σ over all positions of y that x[i] went to
 */
export function sumTo(g: GraphBuilder, d: Value, shape: Shape): Value {
  const from = shapeOf(d);
  const lead = from.length - shape.length;
  const axes = from.flatMap((size, i) => {
    const own = i < lead ? 1 : shape[i - lead]!;
    return i < lead || (own === 1 && size !== 1) ? [i] : [];
  });
  return g.reshape(g.sum(d, axes), shape);
}
