/** @file Which nodes carry trained weights. */

import type { Node } from './graph.ts';
import { floatsOf } from './values.ts';

/** Ops that mix channels by a weight, and the index of that weight. */
const WEIGHTED: Readonly<Record<string, number>> = {
  Conv: 1,
  ConvTranspose: 1,
  Gemm: 1,
  MatMul: 1,
};

/** Index of the constant weight of a Conv, ConvTranspose, Gemm or MatMul; undefined for other nodes and for two activations. */
export function weightIndex(node: Node): number | undefined {
  const index = node.domain === '' ? WEIGHTED[node.op] : undefined;
  if (index === undefined) return undefined;
  if (node.inputs[index]?.constant) return index;
  return node.op === 'MatMul' || node.op === 'Gemm'
    ? node.inputs[0]?.constant
      ? 0
      : undefined
    : undefined;
}

/** Exporters write bins as floats: 2.9999995 is 3. */
const WHOLE = 1e-4;

/**
 * Whether a node's weight was learned. A weight of whole numbers only was written by hand: the bins 0…15 that turn a
 * distribution into its mean, a fixed blur or shift kernel.
 */
export function isTrained(node: Node): boolean {
  const index = weightIndex(node);
  const weight = index === undefined ? undefined : node.inputs[index]!.constant!;
  if (!weight || !/^(b?float16|float32|float64)$/.test(weight.dtype)) return false;
  return floatsOf(weight).some((w) => w !== 0 && (Math.abs(w) < 0.5 || offWhole(w) > WHOLE));
}

const offWhole = (w: number) => Math.abs(w - Math.round(w));
