/** @file A product followed by a constant factor or term per channel. */

import { type Model, type Node, shapeKnown, type Value } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { isTrained } from '../onnx/trained.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { floatsOf } from '../onnx/values.ts';
import type { Pass } from './pass.ts';
import { type Affine, isFoldable, outputChannels, scaleOutputs } from './products.ts';

/** What the op with constant c does to the other operand: first where c is on the right, then where it is on the left. */
const AFFINE: Readonly<Record<string, readonly ((c: number) => readonly [number, number])[]>> = {
  Mul: [(c) => [c, 0], (c) => [c, 0]],
  Div: [(c) => [1 / c, 0]],
  Add: [(c) => [1, c], (c) => [1, c]],
  Sub: [(c) => [1, -c], (c) => [-1, c]],
};

/**
 * Mul, Div, Add or Sub by a float32 constant that is a scalar or has one entry per output channel. Weights written by
 * hand (whole numbers) stay as they are: they are recognised by them.
 */
export const foldScale: Pass = {
  summary: 'fold constant factors and terms per channel into the product before them',
  run({ graph }: Model) {
    const names = new Names(graph);
    let folded = 0;
    for (const node of graph.nodes) {
      if (node.domain !== '' || !AFFINE[node.op] || node.inputs.length !== 2) continue;
      const index = new GraphIndex(graph);
      const at = node.inputs[1]?.constant ? 1 : 0;
      const x = node.inputs[1 - at]!;
      const product = index.producer(x);
      if (!isFoldable(product) || !isTrained(product)) continue;
      if (index.uses(x).length !== 1 || index.isOutput(x)) continue;
      const affine = affineOf(node, at, outputChannels(product), x);
      if (!affine) continue;
      scaleOutputs(graph, product, affine, { names, index });
      product.outputs[0] = node.outputs[0];
      graph.nodes = graph.nodes.filter((n) => n !== node);
      folded++;
    }
    return folded;
  },
};

function affineOf(node: Node, at: number, channels: number, x: Value): Affine | undefined {
  const rule = AFFINE[node.op]![1 - at];
  const constant = node.inputs[at]?.constant;
  const rank = shapeKnown(x)?.length;
  if (!rule || constant?.dtype !== 'float32' || rank === undefined) return undefined;
  const { dims } = constant;
  // Aligned from the right, only axis 1 may hold more than one entry.
  const axis = 1 - (rank - dims.length);
  if (dims.length > rank || dims.some((d, i) => d !== 1 && (i !== axis || d !== channels)))
    return undefined;
  const values = floatsOf(constant);
  const pairs = Array.from({ length: channels }, (_, c) =>
    rule(values.length === 1 ? values[0]! : values[c]!),
  );
  if (pairs.flat().some((v) => !Number.isFinite(v))) return undefined;
  return {
    scale: Float64Array.from(pairs, (p) => p[0]),
    shift: Float64Array.from(pairs, (p) => p[1]),
  };
}
