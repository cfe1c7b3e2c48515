/** @file Nodes with weights, and along which axes their channels lie. */

import { intOf } from '../../onnx/attributes.ts';
import { type Model, type Node, shapeKnown, type Value } from '../../onnx/graph.ts';
import { weightIndex } from '../../onnx/trained.ts';

/** A Conv, ConvTranspose, Gemm or MatMul with a constant weight. */
export interface Layer {
  readonly node: Node;
  readonly weight: Value;
  readonly input: Value;
  readonly output: Value;
  /** Axis of the output along which its channels lie. */
  readonly outputAxis: number;
  /** Axis of the weight along which input channels lie. */
  readonly weightInAxis: number;
}

export function layersOf({ graph }: Model): Layer[] {
  return graph.nodes.flatMap((node) => {
    const at = weightIndex(node);
    const output = node.outputs[0];
    const input = at === undefined ? undefined : node.inputs[1 - at];
    if (at === undefined || !input || !output) return [];
    return [{ node, weight: node.inputs[at]!, input, output, ...axesOf(node, at) }];
  });
}

function axesOf(node: Node, at: number): { outputAxis: number; weightInAxis: number } {
  if (node.op === 'Conv') return { outputAxis: 1, weightInAxis: 1 };
  if (node.op === 'ConvTranspose') return { outputAxis: 1, weightInAxis: 0 };
  if (node.op === 'Gemm') {
    const transposed = intOf(node, at === 1 ? 'transB' : 'transA', 0) === 1;
    return { outputAxis: at, weightInAxis: (at === 1) === transposed ? 1 : 0 };
  }
  const [rank, weightRank] = [
    shapeKnown(node.outputs[0])!.length,
    node.inputs[at]!.constant!.dims.length,
  ];
  return at === 1
    ? { outputAxis: rank - 1, weightInAxis: Math.max(0, weightRank - 2) }
    : { outputAxis: rank - 2, weightInAxis: weightRank - 1 };
}
