/** @file Tensors whose quiet channels would drown in the rounding of a scale that loud ones set. */

import { intOf } from '../onnx/attributes.ts';
import type { Node, Value } from '../onnx/graph.ts';
import type { GraphIndex } from '../onnx/uses.ts';
import { floatsOf } from '../onnx/values.ts';
import { activationOf } from './activation-of.ts';

/** Share of a layer's signal that may be lost to the rounding of its input. Ordinary layers lose less than 0.5 %, drowned ones 30 %. */
export const DROWNED = 0.02;

/** Channels quieter than this share of the loudest one are off: nothing is lost with them. */
const OFF = 1e-6;

/**
 * The mean share of its output signal that a Conv loses when its input is rounded in steps of `scale`:
 *
 *     loss = mean over outputs o of min(1, s²/12 · Σ w²[o, c] / Σ w²[o, c]·var[c])
 *
 * A depth-wise Conv sees one channel at a time, so that nothing makes up for a quiet one; a dense Conv whose weights
 * lift a quiet channel loses as much. Channels are taken as independent.
 *
 * @param variances of each input channel
 */
export function signalLost(conv: Node, variances: Float64Array, scale: number): number {
  const weight = conv.inputs[1]?.constant;
  if (!weight || variances.length === 0) return 0;
  const group = intOf(conv, 'group', 1);
  const [outputs = 0, perGroup = 0] = weight.dims;
  if (perGroup * group !== variances.length) return 0;
  const w = floatsOf(weight);
  const taps = w.length / (outputs * perGroup);
  const off = OFF * variances.reduce((a, b) => Math.max(a, b), 0);
  let lost = 0;
  let counted = 0;
  for (let o = 0; o < outputs; o++) {
    const first = Math.floor(o / (outputs / group)) * perGroup;
    let power = 0;
    let signal = 0;
    for (let c = 0; c < perGroup; c++) {
      const variance = variances[first + c]!;
      if (variance <= off) continue;
      const start = (o * perGroup + c) * taps;
      let squares = 0;
      for (let k = start; k < start + taps; k++) squares += w[k]! * w[k]!;
      power += squares;
      signal += squares * variance;
    }
    if (signal === 0) continue;
    lost += Math.min(1, ((scale * scale) / 12) * (power / signal));
    counted++;
  }
  return counted === 0 ? 0 : lost / counted;
}

/** The Convs that read a tensor, or what its activation makes of it. */
export function convsBehind(value: Value, index: GraphIndex): Node[] {
  const read = activationOf(value, index)?.output ?? value;
  return index
    .uses(read)
    .filter((use) => use.node.op === 'Conv' && use.index === 0)
    .map((use) => use.node);
}
