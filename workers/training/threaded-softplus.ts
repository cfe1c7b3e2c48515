/** @file Softplus in ops that the runtime spreads over threads. */

import type { GraphBuilder } from '../onnx/builder.ts';
import { sortNodes } from '../onnx/topological.ts';

/**
 * softplus(x) = max(x, 0) − ln σ(|x|)
 *
 * σ(|x|) is in [½, 1], so nothing overflows. The runtime's own Softplus works in one thread and takes four times as long.
 * To be called after `backward`: the gradient of one Softplus is one Sigmoid, that of this form is not.
 */
export function threadSoftplus(g: GraphBuilder): void {
  const { graph } = g;
  const found = graph.nodes.filter((n) => n.op === 'Softplus' && n.domain === '');
  for (const node of found) {
    const [x, y] = [node.inputs[0]!, node.outputs[0]!];
    const rest = g.unary('Log', g.sigmoid(g.unary('Abs', x)));
    const inputs = [g.unary('Relu', x), rest];
    graph.nodes.push({
      name: node.name,
      op: 'Sub',
      domain: '',
      inputs,
      outputs: [y],
      attributes: {},
    });
  }
  graph.nodes = graph.nodes.filter((n) => !found.includes(n));
  if (found.length > 0) sortNodes(graph);
}
