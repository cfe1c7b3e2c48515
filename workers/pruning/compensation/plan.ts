/** @file In which order a graph is run piece by piece, so that what was computed once need not be computed again. */

import { subgraphsOf } from '../../onnx/attributes.ts';
import type { Graph, Node, Value } from '../../onnx/graph.ts';
import { GraphIndex, valuesUsedIn } from '../../onnx/uses.ts';

export interface Step {
  /** What is wanted of this step. */
  readonly targets: readonly Value[];
  /** Nodes that run now for the first time, in graph order. */
  readonly nodes: readonly Node[];
  /** Values of this and earlier steps, graph inputs among them, that later steps take in. */
  readonly frontier: readonly Value[];
}

/** Every node runs at the first step that needs it; what no step needs does not run. */
export function planSteps(graph: Graph, targets: readonly (readonly Value[])[]): Step[] {
  const index = new GraphIndex(graph);
  const stepOf = new Map<Node, number>();
  for (const [step, values] of targets.entries())
    for (const node of ancestors(values, index, stepOf)) stepOf.set(node, step);
  const lastUse = new Map<Value, number>();
  const use = (value: Value, step: number) =>
    lastUse.set(value, Math.max(step, lastUse.get(value) ?? 0));
  for (const [node, step] of stepOf) for (const x of takenBy(node)) use(x, step);
  for (const [step, values] of targets.entries()) for (const v of values) use(v, step);
  const madeAt = (v: Value) => {
    const node = index.producer(v);
    return node ? stepOf.get(node)! : v.constant ? Number.POSITIVE_INFINITY : -1;
  };
  return targets.map((values, step) => ({
    targets: values,
    nodes: graph.nodes.filter((n) => stepOf.get(n) === step),
    frontier: [...lastUse].flatMap(([v, last]) => (madeAt(v) <= step && last > step ? [v] : [])),
  }));
}

/** Nodes that the values depend on, other than those already `known`. */
function ancestors(
  values: readonly Value[],
  index: GraphIndex,
  known: ReadonlyMap<Node, number>,
): Set<Node> {
  const found = new Set<Node>();
  const open = [...values];
  while (open.length > 0) {
    const node = index.producer(open.pop()!);
    if (node === undefined || known.has(node) || found.has(node)) continue;
    found.add(node);
    open.push(...takenBy(node));
  }
  return found;
}

/** What a node takes in, also inside its subgraphs. */
export function takenBy(node: Node): Value[] {
  const inner = subgraphsOf(node).flatMap((g) => [...valuesUsedIn(g)]);
  return [...node.inputs.filter((x) => x !== undefined), ...inner];
}
