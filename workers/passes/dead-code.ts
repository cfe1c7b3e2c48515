import { subgraphsOf } from '../onnx/attributes.ts';
import type { Graph, Model } from '../onnx/graph.ts';
import { GraphIndex, valuesUsedIn } from '../onnx/uses.ts';
import type { Pass } from './pass.ts';

/** Nodes and constants that no output depends on. */
export const dropDeadCode: Pass = {
  summary: 'drop nodes and constants that nothing uses',
  run: (model: Model) => sweep(model.graph, true),
};

function sweep(graph: Graph, isMain: boolean): number {
  const before = graph.nodes.length + graph.initializers.length;
  let inside = 0;
  for (;;) {
    const index = new GraphIndex(graph);
    const live = graph.nodes.filter((n) =>
      n.outputs.some((y) => y && (index.isOutput(y) || index.uses(y).length > 0)),
    );
    if (live.length === graph.nodes.length) break;
    graph.nodes = live;
  }
  for (const node of graph.nodes)
    for (const inner of subgraphsOf(node)) inside += sweep(inner, false);
  const used = valuesUsedIn(graph);
  graph.initializers = graph.initializers.filter((v) => used.has(v));
  // A default that nobody reads goes, but an input stays: callers may feed it.
  if (isMain)
    for (const v of graph.inputs)
      if (v.constant && !graph.initializers.includes(v)) v.constant = undefined;
  return before - graph.nodes.length - graph.initializers.length + inside;
}
