/** @file A size that is known only when a batch comes: the number of boxes. */

import type { GraphBuilder } from '../onnx/builder.ts';
import { shapeKnown } from '../onnx/graph.ts';

/** Stands for the size while nodes are written: larger than any real one, so that it can be told apart. */
export const SYMBOLIC = 2 ** 40 + 15;
const NAME = 'boxes';

/**
 * Write nodes over tensors with one axis of unknown size: in their types the stand-in becomes a name afterwards. What
 * `write` puts into constants must not depend on that size.
 */
export function symbolic<T>(g: GraphBuilder, write: () => T): T {
  const from = g.graph.nodes.length;
  const result = write();
  const made = g.graph.nodes.slice(from).flatMap((n) => n.outputs);
  for (const value of [...g.graph.inputs, ...made]) {
    const shape = value && shapeKnown(value);
    if (value?.type?.kind === 'tensor' && shape?.includes(SYMBOLIC))
      value.type = { ...value.type, shape: shape.map((d) => (d === SYMBOLIC ? NAME : d)) };
  }
  return result;
}
