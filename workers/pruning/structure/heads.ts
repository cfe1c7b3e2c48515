/** @file Granularity `head`: whole attention heads. */

import { stringOf } from '../../onnx/attributes.ts';
import { type Model, type Node, shapeKnown, type Value } from '../../onnx/graph.ts';
import type { Group } from '../coupling/groups.ts';

/**
 * Groups whose channels are heads: they run along an axis over which products of two activations are batched (queries · keys, weights ·
 * values), each product of one head by itself. Names play no part.
 */
export function headGroups(groups: readonly Group[], { graph }: Model): readonly Group[] {
  const batched = new Map<Value, readonly number[]>(
    graph.nodes.flatMap((node) => {
      const y = node.outputs[0];
      return y && node.inputs.every((x) => x && !x.constant) ? [[y, batchAxes(node, y)]] : [];
    }),
  );
  return groups.filter(({ activations }) =>
    activations.some(({ value, axis }) => batched.get(value)?.includes(axis)),
  );
}

/** Axes of a product that both factors have, and that neither sums over. */
function batchAxes(node: Node, y: Value): number[] {
  if (node.op === 'MatMul')
    return Array.from({ length: Math.max(0, (shapeKnown(y)?.length ?? 0) - 2) }, (_, i) => i);
  if (node.op !== 'Einsum') return [];
  const [left, right] = stringOf(node, 'equation', '').replace(/\s/g, '').split('->');
  const [a, b] = left!.split(',');
  if (!a || !b || !right) return [];
  return [...right].flatMap((letter, i) => (a.includes(letter) && b.includes(letter) ? [i] : []));
}
