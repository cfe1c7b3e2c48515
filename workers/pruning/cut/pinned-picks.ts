/** @file Picks made alike: what TopK and its kin choose in one model is given to another. */

import { cloneModel } from '../../onnx/clone.ts';
import { type Model, type Node, shapeKnown, type Value } from '../../onnx/graph.ts';
import { isPicking } from '../../passes/proof.ts';

const picksOf = ({ graph }: Model): Map<string, Value> =>
  new Map(
    graph.nodes
      .filter(isPicking)
      .flatMap((n) => n.outputs.flatMap((y) => (y ? [[y.name, y]] : []))),
  );

/**
 * Names of what picking nodes return, where the cut left its sizes as they were. Nearly equal scores are picked otherwise after any
 * rounding, and nothing behind a pick could be compared.
 */
export function sharedPicks(original: Model, pruned: Model): string[] {
  const after = picksOf(pruned);
  return [...picksOf(original)].flatMap(([name, y]) => {
    const same = after.get(name);
    return same && String(shapeKnown(same)) === String(shapeKnown(y)) ? [name] : [];
  });
}

/** A copy that takes these values in instead of making them. */
export function withGiven(model: Model, names: readonly string[]): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  const given = new Set(names);
  const taken = graph.nodes.flatMap(({ outputs }: Node) =>
    outputs.filter((y): y is Value => y !== undefined && given.has(y.name)),
  );
  for (const node of graph.nodes)
    node.outputs = node.outputs.map((y) => (y && given.has(y.name) ? undefined : y));
  graph.inputs.push(...taken);
  graph.nodes = graph.nodes.filter(({ outputs }) => outputs.some((y) => y !== undefined));
  return copy;
}
