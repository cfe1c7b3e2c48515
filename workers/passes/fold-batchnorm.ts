/** @file BatchNormalization in inference is one scale and one shift per channel. */

import { floatOf, intOf } from '../onnx/attributes.ts';
import { type Graph, type Model, type Node, nodeLabel } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { GraphIndex, replaceUses } from '../onnx/uses.ts';
import { floatsOf } from '../onnx/values.ts';
import type { Pass } from './pass.ts';
import {
  type Affine,
  isFoldable,
  isUnpadded,
  outputChannels,
  type Rewriting,
  scaleInputs,
  scaleOutputs,
} from './products.ts';

/**
 * γ·(x − μ)/√(σ² + ε) + β  =  a·x + (β − a·μ),   a = γ/√(σ² + ε)
 *
 * moves into the product before it, or into an unpadded product behind it, where that is its only neighbour.
 * Source: https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
 */
export const foldBatchNorm: Pass = {
  summary: 'fold BatchNormalization into the Conv, ConvTranspose or Gemm beside it',
  run({ graph }: Model, { decline }) {
    const names = new Names(graph);
    let folded = 0;
    for (const norm of graph.nodes) {
      if (norm.op !== 'BatchNormalization' || norm.domain !== '') continue;
      const why = fold(graph, norm, { names, index: new GraphIndex(graph) });
      if (why === undefined) folded++;
      else decline(nodeLabel(norm), why);
    }
    return folded;
  },
};

/** @returns why not; undefined: done */
function fold(graph: Graph, norm: Node, to: Rewriting): string | undefined {
  const affine = affineOf(norm);
  if (typeof affine === 'string') return affine;
  const [x, y] = [norm.inputs[0]!, norm.outputs[0]!];
  const before = to.index.producer(x);
  const alone = (v: typeof x) => to.index.uses(v).length === 1 && !to.index.isOutput(v);
  if (isFoldable(before) && alone(x) && outputChannels(before) === affine.scale.length) {
    scaleOutputs(graph, before, affine, to);
    before.outputs[0] = y;
  } else {
    const after = alone(y) ? to.index.uses(y)[0]!.node : undefined;
    if (!isFoldable(after) || after.inputs[0] !== y || !isUnpadded(after))
      return 'no product whose only neighbour it is stands before it, nor an unpadded one behind it';
    scaleInputs(graph, after, affine, to);
    replaceUses(graph, y, x);
  }
  graph.nodes = graph.nodes.filter((n) => n !== norm);
  return undefined;
}

function affineOf(norm: Node): Affine | string {
  if (intOf(norm, 'training_mode', 0) === 1 || norm.outputs.slice(1).some((y) => y))
    return 'it normalises by the batch (training mode)';
  if (intOf(norm, 'spatial', 1) === 0) return 'it has statistics per position';
  const parameters = norm.inputs.slice(1, 5).map((v) => v?.constant);
  if (parameters.some((t) => t?.dtype !== 'float32'))
    return 'its parameters are not float32 constants';
  const [gamma, beta, mean, variance] = parameters.map((t) => floatsOf(t!));
  const epsilon = floatOf(norm, 'epsilon', 1e-5);
  const scale = Float64Array.from(gamma!, (g, c) => g / Math.sqrt(variance![c]! + epsilon));
  return { scale, shift: scale.map((a, c) => beta![c]! - a * mean![c]!) };
}
