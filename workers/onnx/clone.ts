/** @file A model that can be changed without changing the one it was copied from. Tensors are shared: they never change. */

import { type Attribute, type Graph, type Model, type Node, Value } from './graph.ts';

export function cloneModel(model: Model): Model {
  return {
    ...model,
    opsets: { ...model.opsets },
    producer: { ...model.producer },
    metadata: { ...model.metadata },
    graph: cloneGraph(model.graph),
  };
}

/** @param seen copies of values of the graphs around it: filled as the copy goes */
export function cloneGraph(graph: Graph, seen = new Map<Value, Value>()): Graph {
  const value = (v: Value): Value => {
    const known = seen.get(v);
    if (known) return known;
    const copy = Object.assign(new Value(v.name, v.type, v.constant), v);
    seen.set(v, copy);
    return copy;
  };
  const maybe = (v: Value | undefined) => v && value(v);
  const attribute = (a: Attribute): Attribute => {
    if (a.type === 'graph') return { ...a, value: cloneGraph(a.value, seen) };
    if (a.type === 'graphs') return { ...a, value: a.value.map((g) => cloneGraph(g, seen)) };
    return a;
  };
  const node = (n: Node): Node => ({
    ...n,
    inputs: n.inputs.map(maybe),
    outputs: n.outputs.map(maybe),
    attributes: Object.fromEntries(Object.entries(n.attributes).map(([k, a]) => [k, attribute(a)])),
  });
  return {
    ...graph,
    initializers: graph.initializers.map(value),
    inputs: graph.inputs.map(value),
    nodes: graph.nodes.map(node),
    outputs: graph.outputs.map(value),
  };
}
