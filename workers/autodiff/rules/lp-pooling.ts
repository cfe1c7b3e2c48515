/** @file Gradients of the rarer pooling ops: LpPool, GlobalLpPool, MaxUnpool. */

import { intOf, intsOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';
import { windowOf } from './convolution.ts';
import { spreadOverWindows } from './pooling.ts';

/** d(Σ |x|^p)^(1/p)/dx = sign x·|x|^(p−1)·y^(1−p): the part that belongs to y, 0 where y = 0. */
function outer(g: GraphBuilder, d: Value, y: Value, p: number): Value {
  const none = g.compare('Equal', y, g.scalar(0, y));
  const safe = g.where(none, g.scalar(1, y), y);
  return g.where(none, g.scalar(0, d), g.mul(d, g.pow(safe, g.scalar(1 - p, y))));
}

/** The part that belongs to x. */
const inner = (g: GraphBuilder, x: Value, p: number) =>
  g.mul(g.unary('Sign', x), g.pow(g.unary('Abs', x), g.scalar(p - 1, x)));

/** y[o] = (Σ |x|^p)^(1/p) over the window. */
export const lpPool: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    const p = intOf(node, 'p', 2);
    const [input, out] = [shapeOf(x), shapeOf(y).slice(2)];
    const win = windowOf(node, input.slice(2), out, intsOf(node, 'kernel_shape', []));
    return g.mul(inner(g, x, p), spreadOverWindows(g, outer(g, d, y, p), input, win));
  },
];

/** y = (Σ |x|^p)^(1/p) over all positions of a channel. */
export const globalLpPool: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    const p = intOf(node, 'p', 2);
    return g.mul(inner(g, x, p), outer(g, d, y, p));
  },
];

/** y = zeros with x written at flat indices;  dx = dy read there. */
export const maxUnpool: GradientRule = ({ x: [x, indices], dy: [d], g }) => [
  () => {
    const n = sizeOf(shapeOf(x));
    const flat = g.reshape(d, [sizeOf(shapeOf(d))]);
    return g.reshape(g.gather(flat, g.reshape(indices, [n]), 0), shapeOf(x));
  },
  null,
  null,
];
