/** @file Tensors that a target wants in one scale: the inputs and the output of a Concat, of a pooling. */

import type { Graph, Value } from '../onnx/graph.ts';
import { FORMATS } from './formats.ts';
import { asymmetric, type Quantizer, symmetric } from './scale.ts';

/**
 * Give all quantized tensors around each node of the ops in `shares` the range that holds all of theirs. Groups that
 * have a tensor in common become one.
 *
 * @param quantizers changed in place
 */
export function shareScales(
  graph: Graph,
  shares: readonly string[],
  quantizers: Map<Value, Quantizer>,
): void {
  const groupOf = new Map<Value, Set<Value>>();
  for (const node of graph.nodes) {
    if (!shares.includes(node.op)) continue;
    const around = [...node.inputs, ...node.outputs].filter((v) => v && quantizers.has(v));
    const joined = new Set(around.flatMap((v) => [...(groupOf.get(v!) ?? [v!])]));
    for (const v of joined) groupOf.set(v, joined);
  }
  for (const group of new Set(groupOf.values())) {
    const joint = widest([...group].map((v) => quantizers.get(v)!));
    for (const v of group) quantizers.set(v, joint);
  }
}

/** The quantizer of the union of the ranges, in the format that has the most codes. */
function widest(all: readonly Quantizer[]): Quantizer {
  const codes = ({ format }: Quantizer) => FORMATS[format].max - FORMATS[format].min;
  const { format } = all.reduce((a, b) => (codes(b) > codes(a) ? b : a));
  const low = Math.min(...all.map((q) => (FORMATS[q.format].min - q.zeroPoint) * q.scale));
  const high = Math.max(...all.map((q) => (FORMATS[q.format].max - q.zeroPoint) * q.scale));
  return all.every(isCentred) ? symmetric(high, format) : asymmetric(low, high, format);
}

const isCentred = ({ format, zeroPoint }: Quantizer): boolean =>
  zeroPoint === (FORMATS[format].min < 0 ? 0 : (FORMATS[format].max + 1) / 2);
