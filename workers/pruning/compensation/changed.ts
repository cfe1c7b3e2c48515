/** @file Which values a cut changed: layers before it meet the original already. */

import { type Graph, shapeKnown, type Value } from '../../onnx/graph.ts';
import { takenBy } from './plan.ts';

/**
 * Values of the pruned graph that are computed from something that lost channels, or lost some themselves. What is left of a layer's
 * outputs after a cut is what it was: only what reads them changes.
 */
export function changedValues(original: Graph, pruned: Graph): Set<Value> {
  const before = new Map(
    original.nodes.flatMap((n) => n.outputs).flatMap((v) => (v ? [[v.name, v] as const] : [])),
  );
  const changed = new Set<Value>();
  for (const node of pruned.nodes) {
    const reached = takenBy(node).some((v) => changed.has(v));
    for (const y of node.outputs)
      if (y && (reached || !sameShape(y, before.get(y.name)))) changed.add(y);
  }
  return changed;
}

const sameShape = (a: Value, b: Value | undefined): boolean =>
  b !== undefined && JSON.stringify(shapeKnown(a)) === JSON.stringify(shapeKnown(b));
