/** @file What lies between the values to differentiate by and those to differentiate. */

import { subgraphsOf } from '../onnx/attributes.ts';
import type { Node, Value } from '../onnx/graph.ts';
import { valuesUsedIn } from '../onnx/uses.ts';

export interface Paths {
  /** `from` and every value that depends on it. */
  readonly wanted: ReadonlySet<Value>;
  /** The nodes on a path, last first. */
  readonly nodes: readonly Node[];
}

/**
 * Nodes that depend on a value of `from` and on which one of `to` depends. What a branch or loop body reads from the graph
 * around it counts as an input of its node.
 *
 * @param stop values that count as constants: no path leads through them
 */
export function pathsBetween(
  nodes: readonly Node[],
  from: readonly Value[],
  to: readonly Value[],
  stop: ReadonlySet<Value> = new Set(),
): Paths {
  const wanted = new Set(from);
  const needed = new Set(to);
  const ahead = nodes.filter((node) => {
    const hit = inputsOf(node).some((x) => wanted.has(x));
    if (hit) for (const y of node.outputs) if (y && !stop.has(y)) wanted.add(y);
    return hit;
  });
  const between = ahead.toReversed().filter((node) => {
    const hit = node.outputs.some((y) => y !== undefined && needed.has(y));
    if (hit) for (const x of inputsOf(node)) needed.add(x);
    return hit;
  });
  return { wanted, nodes: between };
}

function inputsOf(node: Node): Value[] {
  const own = node.inputs.filter((x) => x !== undefined);
  const inner = subgraphsOf(node);
  return inner.length === 0 ? own : [...own, ...inner.flatMap((g) => [...valuesUsedIn(g)])];
}
