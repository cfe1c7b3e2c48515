/** @file Conv on blocked values. */

import { intOf } from '../../onnx/attributes.ts';
import { dtypeKnown, type Value } from '../../onnx/graph.ts';
import { type Shape, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { BlockedLayout, Lowering } from './layout.ts';
import { elementwise } from './passing.ts';

/**
 * Y = Conv(X) + Z in one node where nothing else takes the Conv's output: that is added to as it is written.
 * Else an elementwise op like others.
 */
export const add: Lowering = (node, layout) => {
  const [a, b] = node.inputs as [Value, Value];
  const [y] = node.outputs as [Value];
  for (const [sum, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const maker = layout.makerFor(sum, node);
    if (!maker || maker.inputs[3] || sum === other || !layout.has(other)) continue;
    if (String(shapeOf(sum)) !== String(shapeOf(other))) continue;
    const [x, w, bias] = maker.inputs;
    maker.inputs = [x, w, bias, layout.blocked(other)];
    layout.moveToEnd(maker);
    layout.hold(y, layout.blocked(sum));
    return true;
  }
  return elementwise(node, layout);
};

export const conv: Lowering = (node, layout) => {
  const [x, w, b] = node.inputs as [Value, Value, Value | undefined];
  const y = node.outputs[0]!;
  const [m, c] = shapeOf(w) as [number, number];
  // Few channels are read in the plain layout.
  const few = c < layout.block;
  const fills = few ? isFull(layout, [m]) : isFull(layout, [m, c]);
  if (!fills || shapeOf(x).length !== 4 || dtypeKnown(x) !== 'float32') return false;
  if (intOf(node, 'group', 1) !== 1) return false;
  for (const v of [few ? x : undefined, w, b]) if (v) layout.release(v);
  const [n, , ...out] = shapeOf(y) as [number, number, ...number[]];
  const inputs = [few ? x : layout.blocked(x), kernels(layout, w, few), bias(layout, b, m)];
  layout.hold(y, layout.op('Conv', inputs, [n, layout.padded(m), ...out], node.attributes));
  return true;
};

/** Channels that are added to fill blocks are computed in vain: at most this share of all. */
const MOST_PADDING = 1.25;

/** Whether these numbers of channels can be reordered, and fill their blocks well enough. */
export function isFull(layout: BlockedLayout, channels: Shape): boolean {
  const whole = channels.map((c) => layout.padded(c));
  return channels.every((c) => c % 4 === 0) && sizeOf(whole) <= MOST_PADDING * sizeOf(channels);
}

export function bias(layout: BlockedLayout, b: Value | undefined, channels: number) {
  return b && layout.g.pad(b, [0], [layout.padded(channels) - channels]);
}

/**
 * W (M, C, K, L) → [M/b, C/b, K, L, b of C, b of M], or [M/b, C, K, L, b of M] where C does not fill a block. A weight is
 * reordered as if it were an image: first of C channels, then of M.
 */
function kernels(layout: BlockedLayout, w: Value, few: boolean): Value {
  const { g } = layout;
  const [m, , ...kernel] = shapeOf(w) as [number, number, ...number[]];
  const byInput = few ? w : inBlocksOfInput(layout, w);
  const deep = shapeOf(byInput)[1]!;
  const rows = g.reshape(byInput, [1, m, deep * sizeOf(kernel), 1]);
  return g.reshape(layout.blocked(rows), [layout.padded(m), deep, ...kernel]);
}

/** W (M, C, K, L) → [M, C/b, K, L, b of C] */
export function inBlocksOfInput(layout: BlockedLayout, w: Value): Value {
  const [, c, ...kernel] = shapeOf(w) as [number, number, ...number[]];
  return sizeOf(kernel) === 1 && c % layout.block === 0 ? w : layout.blocked(w);
}
