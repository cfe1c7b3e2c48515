/** @file Two neighbouring axes of a value in the other order. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { range, type Shape } from '../../onnx/static-shapes.ts';

/**
 * (…, A, B, …) → (…, B, A, …): a Gather of what lies behind, which works in several threads where Transpose does not.
 *
 * @param v as many numbers as `shape` has places, in its order
 * @param axis of A
 */
export function exchanged(g: GraphBuilder, v: Value, shape: Shape, axis: number): Value {
  const [a, b] = shape.slice(axis, axis + 2) as [number, number];
  const order = range(a * b).map((k) => (k % a) * b + Math.floor(k / a));
  const runs = g.reshape(v, shape.toSpliced(axis, 2, a * b));
  return g.reshape(g.gather(runs, g.ints(order), axis), shape.toSpliced(axis, 2, b, a));
}
