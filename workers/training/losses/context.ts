/** @file The place where a loss is written: inputs for labels, values cut off from the gradient. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import type { LossContext } from './loss.ts';

/** @returns the context, and the values that gradients must not pass: `stop` of backward() */
export function lossContext(
  g: GraphBuilder,
  batch: number,
): { readonly context: LossContext; readonly stop: ReadonlySet<Value> } {
  const stop = new Set<Value>();
  const context: LossContext = {
    g,
    batch,
    detach(value) {
      const copy = g.op('Identity', [value], shapeOf(value));
      stop.add(copy);
      return copy;
    },
    input(name, shape, dtype = 'float32') {
      const value = new Value(g.name(name), { kind: 'tensor', dtype, shape });
      g.graph.inputs.push(value);
      return value;
    },
  };
  return { context, stop };
}
