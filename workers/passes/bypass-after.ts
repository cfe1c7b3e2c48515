import type { Graph, Node } from '../onnx/graph.ts';

/** Take out `second`, a node that only changed scale and shift: `first` makes its result instead, under that result's name. */
export function bypassAfter(graph: Graph, first: Node, second: Node): void {
  first.outputs[0] = second.outputs[0];
  graph.nodes = graph.nodes.filter((n) => n !== second);
}
