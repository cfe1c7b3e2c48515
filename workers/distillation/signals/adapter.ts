/** @file The 1×1 convolution that joins features of different widths. */

import { ints } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';

/**
 * y[b, t, …] = Σ_s adapter[t, s]·x[b, s, …]; the features themselves without an adapter.
 * Source: Romero 2015, FitNets, with a 1×1 kernel and no bias.
 */
export function adapted(g: GraphBuilder, x: Value, adapter: Value | undefined): Value {
  if (adapter === undefined) return x;
  const [batch, , ...space] = shapeOf(x) as [number, number, ...number[]];
  const [to, from] = shapeOf(adapter) as [number, number];
  const ones = space.map(() => 1);
  const kernel = g.reshape(adapter, [to, from, ...ones]);
  return g.op('Conv', [x, kernel], [batch, to, ...space], { kernel_shape: ints(ones) });
}
