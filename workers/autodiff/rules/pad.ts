/** @file Gradient of Pad. */

import { stringOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { axisOf, range, type Shape, shapeOf } from '../../onnx/static-shapes.ts';
import { applyAlong, transposed } from '../along.ts';
import { constantInput } from '../refusal.ts';
import type { GradientRule } from '../rule.ts';

/** Entries per axis of x; negative ones cut. */
interface Border {
  readonly before: Shape;
  readonly after: Shape;
}

/**
 * y = x with a border. constant: dx = the inside of dy, dvalue = Σ of the rest. edge, reflect, wrap: border places
 * add to the places they copied.
 *
 * Source: https://onnx.ai/onnx/operators/onnx__Pad.html
 */
export const pad: GradientRule = ({ node, x: [x], dy: [d], g }) => {
  const mode = stringOf(node, 'mode', 'constant');
  const border = borderOf(node, shapeOf(x).length);
  const inside = () =>
    mode === 'constant' ? cut(g, d, border) : folded(g, d, shapeOf(x), border, mode);
  const total = (v: Value) => g.sum(v, range(shapeOf(v).length), false);
  return [inside, null, () => g.sub(total(d), total(cut(g, d, border))), null];
};

function borderOf(node: Node, rank: number): Border {
  const pads = constantInput(node, 1)!;
  const axes = (constantInput(node, 3) ?? range(rank)).map((a) => axisOf(a, rank));
  const entry = (axis: number, end: number) =>
    axes.includes(axis) ? pads[end * axes.length + axes.indexOf(axis)]! : 0;
  return {
    before: range(rank).map((i) => entry(i, 0)),
    after: range(rank).map((i) => entry(i, 1)),
  };
}

const cut = (g: GraphBuilder, d: Value, { before, after }: Border) =>
  g.pad(
    d,
    before.map((p) => -p),
    after.map((p) => -p),
  );

/** dy with each border place added to the place it copied, axis by axis. */
function folded(g: GraphBuilder, d: Value, shape: Shape, border: Border, mode: string): Value {
  return shape.reduce((v, size, axis) => {
    const before = border.before[axis]!;
    const out = size + before + border.after[axis]!;
    if (out === size && before === 0) return v;
    const matrix = new Float64Array(out * size);
    for (let o = 0; o < out; o++) matrix[o * size + source(o - before, size, mode)] = 1;
    return applyAlong(g, v, axis, transposed(matrix, out), size);
  }, d);
}

/** Which place of x a place of the padded axis copies. */
function source(i: number, size: number, mode: string): number {
  if (i >= 0 && i < size) return i;
  if (mode === 'edge') return Math.max(0, Math.min(size - 1, i));
  if (mode === 'wrap') return ((i % size) + size) % size;
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const k = ((i % period) + period) % period;
  return k < size ? k : period - k;
}
