/** @file Convolutions of a finished graph in blocks of channels, as onnxruntime's CPU provider computes them fastest. */

import { subgraphsOf } from '../../onnx/attributes.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { Model, Node } from '../../onnx/graph.ts';
import { isStatic } from '../../onnx/static-shapes.ts';
import { valuesUsedIn } from '../../onnx/uses.ts';
import { BLOCKED_DOMAIN, BlockedLayout } from './layout.ts';
import { loweringOf } from './registry.ts';

/**
 * The runtime itself does this where weights are constants (its NCHWc transformer), so not in a training step, where they are
 * inputs: its plain Conv (im2col and a matrix product) takes a third to a half longer. Values stay blocked through elementwise
 * ops, joins and cuts between Convs; a node that knows no blocks gets the plain form, made once.
 *
 * @param model static shapes; changed in place @param block channels per block on this machine
 */
export function blockConvolutions(model: Model, block: number): void {
  const { graph } = model;
  const layout = new BlockedLayout(new GraphBuilder(graph), block);
  const old = graph.nodes;
  graph.nodes = [];
  for (const node of old) {
    const lower = node.domain === '' && isSized(node) ? loweringOf(node.op) : undefined;
    if (lower?.(node, layout)) continue;
    for (const x of takenBy(node)) layout.release(x);
    graph.nodes.push(node);
  }
  for (const y of graph.outputs) layout.release(y);
  const used = valuesUsedIn(graph);
  graph.initializers = graph.initializers.filter((v) => used.has(v));
  model.opsets[BLOCKED_DOMAIN] = 1;
}

/** Whether every size of its inputs and outputs is known. */
const isSized = ({ inputs, outputs }: Node) =>
  [...inputs, ...outputs].every((v) => v === undefined || isStatic(v));

/** What a node reads, its subgraphs too. */
const takenBy = (node: Node) => [
  ...node.inputs.filter((x) => x !== undefined),
  ...subgraphsOf(node).flatMap((inner) => [...valuesUsedIn(inner)]),
];
