/** @file Ops that do not ask where a channel lies, as long as whole blocks stay together. */

import { intOf } from '../../onnx/attributes.ts';
import { type Node, shapeKnown, type Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import { numbersOf } from '../../onnx/values.ts';
import type { BlockedLayout, Lowering } from './layout.ts';

const isScalar = (v: Value) => sizeOf(shapeOf(v)) === 1;

/** (N, C, H, W), C in whole blocks. */
export const isWhole = (v: Value | undefined, { block }: BlockedLayout) =>
  v !== undefined && shapeKnown(v)?.length === 4 && shapeOf(v)[1]! % block === 0;

/** Every input is a scalar or blocked already, and of y's shape. */
export const elementwise: Lowering = (node, layout) => {
  const [y] = node.outputs as [Value];
  if (!isWhole(y, layout)) return false;
  const tensors = node.inputs.filter((x): x is Value => x !== undefined && !isScalar(x));
  const alike = (x: Value) => layout.has(x) && String(shapeOf(x)) === String(shapeOf(y));
  return tensors.length > 0 && tensors.every(alike) && rewrite(node, layout);
};

export const concat: Lowering = (node, layout) => {
  const xs = node.inputs as Value[];
  const known = xs.every((x) => layout.has(x) && isWhole(x, layout));
  return known && intOf(node, 'axis', 0) === 1 && rewrite(node, layout);
};

export const split: Lowering = (node, layout) => {
  const known = layout.has(node.inputs[0]!) && node.outputs.every((y) => isWhole(y, layout));
  return known && intOf(node, 'axis', 0) === 1 && rewrite(node, layout);
};

/** One stretch of channels, cut between blocks. */
export const slice: Lowering = (node, layout) => {
  const [x, starts, , axes, steps] = node.inputs as Value[];
  if (!layout.has(x!) || ![x, node.outputs[0]].every((v) => isWhole(v, layout))) return false;
  const only = (v: Value | undefined) => v?.constant && numbersOf(v.constant);
  const [start, axis, step] = [only(starts), only(axes), only(steps) ?? [1]];
  const along = start?.length === 1 && axis?.[0] === 1 && step[0] === 1;
  return along && start[0]! >= 0 && start[0]! % layout.block === 0 && rewrite(node, layout);
};

/** The same op on blocked inputs; what has no blocked form (scalars, sizes, bounds) goes in as it is. */
function rewrite(node: Node, layout: BlockedLayout): true {
  const inputs = node.inputs.map((x) => x && (layout.has(x) ? layout.blocked(x) : x));
  const shapes = node.outputs.map((y) => shapeOf(y!));
  const made = layout.g.ops(node.op, inputs, shapes, node.attributes);
  for (const [i, y] of node.outputs.entries()) layout.hold(y!, made[i]!);
  return true;
}
