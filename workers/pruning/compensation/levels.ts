/** @file In which order layers can be rebuilt: a layer's inputs must not change after it was fitted. */

import type { Graph, Node, Value } from '../../onnx/graph.ts';
import { takenBy } from './plan.ts';

/**
 * Layers by level: those of one level do not depend on each other, so they are fitted in one pass over the images. The level of a
 * layer is the largest number of layers that lie before it on a path from the graph's inputs.
 *
 * @param layers nodes of the graph
 */
export function byLevel(graph: Graph, layers: ReadonlySet<Node>): Node[][] {
  const levels: Node[][] = [];
  const before = new Map<Value, number>();
  for (const node of graph.nodes) {
    const level = Math.max(0, ...takenBy(node).map((v) => before.get(v) ?? 0));
    const mine = layers.has(node);
    if (mine) {
      levels[level] ??= [];
      levels[level].push(node);
    }
    for (const y of node.outputs) if (y) before.set(y, mine ? level + 1 : level);
  }
  return levels;
}
