/** @file Weights of which single numbers can be set to zero. */

import { intOf } from '../../onnx/attributes.ts';
import { macsOf } from '../../onnx/cost.ts';
import type { Model, Node, Value } from '../../onnx/graph.ts';
import { isTrained, weightIndex } from '../../onnx/trained.ts';
import { isProtected } from '../protect.ts';

export interface SparseLayer {
  readonly node: Node;
  readonly weight: Value;
  /** Axis of the weight that the layer sums over. */
  readonly axis: number;
  /** Multiply-accumulates that go with one number of the weight. */
  readonly macsPerWeight: number;
}

/**
 * Float32 weights of trained Conv, ConvTranspose, Gemm and MatMul nodes, each once, biases left out.
 *
 * @param protect names of nodes, weights or outputs, or patterns of these
 * @throws PATTERN_MATCHES_NOTHING an entry that names nothing in the model
 */
export function sparseLayers(model: Model, protect: readonly string[]): SparseLayer[] {
  const stays = isProtected(protect, model);
  const found = new Map<Value, SparseLayer>();
  for (const node of model.graph.nodes) {
    const at = weightIndex(node);
    if (at === undefined || !isTrained(node)) continue;
    const weight = node.inputs[at]!;
    const { dtype, size } = weight.constant!;
    if (dtype !== 'float32' || size === 0 || stays(node, weight)) continue;
    const macs = macsOf(node, model.graph) + (found.get(weight)?.macsPerWeight ?? 0) * size;
    found.set(weight, {
      ...{ node, weight, axis: summedAxis(node, at) },
      macsPerWeight: macs / size,
    });
  }
  return [...found.values()];
}

function summedAxis(node: Node, at: number): number {
  const rank = node.inputs[at]!.constant!.dims.length;
  switch (node.op) {
    case 'Conv':
      return 1;
    case 'ConvTranspose':
      return 0;
    case 'Gemm': {
      const transposed = intOf(node, at === 1 ? 'transB' : 'transA', 0) === 1;
      return (at === 1) === transposed ? 1 : 0;
    }
    default:
      return at === 1 ? Math.max(0, rank - 2) : rank - 1;
  }
}
