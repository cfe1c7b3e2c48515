/** @file Gradients of elementwise arithmetic: a line of calculus each. backward() undoes broadcasting. */

import type { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import { numbersOf } from '../../onnx/values.ts';
import { castLike } from '../cast.ts';
import type { GradientContext, GradientRule } from '../rule.ts';

/** A rule of one input, as dx from what is at hand. */
export const unary =
  (
    dx: (ctx: {
      x: Value;
      y: Value;
      d: Value;
      g: GradientContext['g'];
      node: GradientContext['node'];
    }) => Value,
  ): GradientRule =>
  ({ x: [x], y: [y], dy: [d], g, node }) => [() => dx({ x, y, d, g, node })];

/** y = a + b;  da = dy, db = dy. */
export const add: GradientRule = ({ dy: [d] }) => [() => d, () => d];

/** y = a − b;  da = dy, db = −dy. */
export const sub: GradientRule = ({ dy: [d], g }) => [() => d, () => g.neg(d)];

/** y = a·b;  da = dy·b, db = dy·a. */
export const mul: GradientRule = ({ x: [a, b], dy: [d], g }) => [
  () => g.mul(d, b),
  () => g.mul(d, a),
];

/** y = a / b;  da = dy / b, db = −dy·y / b. */
export const div: GradientRule = ({ x: [, b], y: [y], dy: [d], g }) => [
  () => g.div(d, b),
  () => g.neg(g.div(g.mul(d, y), b)),
];

/**
 * y = aᵇ;  da = dy·b·aᵇ⁻¹, db = dy·y·ln a (0 where a = 0: there y does not move with b > 0).
 * A constant exponent, above all 2, needs no second power.
 */
export const pow: GradientRule = ({ x: [a, b], y: [y], dy: [d], g }) => [
  () => {
    const p = b.constant?.size === 1 ? numbersOf(b.constant)[0]! : undefined;
    if (p === 0) return g.zeros(shapeOf(d), d);
    if (p === 1) return d;
    if (p === 2) return g.mul(g.scale(d, 2), a);
    if (p !== undefined) return g.mul(g.scale(d, p), g.pow(a, g.scalar(p - 1, a)));
    const exponent = castLike(g, b, a);
    return g.mul(d, g.mul(exponent, g.pow(a, g.plus(exponent, -1))));
  },
  () => {
    const positive = g.compare('Greater', a, g.scalar(0, a));
    const safe = g.where(positive, a, g.scalar(1, a));
    return g.mul(g.mul(d, y), g.unary('Log', safe));
  },
];

/** y = a − b·n, n = a / b rounded toward zero;  da = dy, db = −dy·n. For integers there is nothing to differentiate. */
export const mod: GradientRule = ({ x: [a, b], y: [y], dy: [d], g }) => [
  () => d,
  () => g.neg(g.mul(d, g.div(g.sub(a, y), b))),
];

/** y = −x;  dx = −dy. */
export const neg = unary(({ d, g }) => g.neg(d));

/** y = |x|;  dx = dy·sign x. */
export const abs = unary(({ x, d, g }) => g.mul(d, g.unary('Sign', x)));

/** y = eˣ;  dx = dy·y. */
export const exp = unary(({ y, d, g }) => g.mul(d, y));

/** y = ln x;  dx = dy / x. */
export const log = unary(({ x, d, g }) => g.div(d, x));

/** y = √x;  dx = dy / 2y. */
export const sqrt = unary(({ y, d, g }) => g.div(d, g.scale(y, 2)));

/** y = 1/x;  dx = −dy·y². */
export const reciprocal = unary(({ y, d, g }) => g.neg(g.mul(d, g.mul(y, y))));

/** y = erf x;  dx = dy·(2/√π)·e^(−x²). */
export const erf = unary(({ x, d, g }) =>
  g.mul(d, g.scale(g.exp(g.neg(g.mul(x, x))), 2 / Math.sqrt(Math.PI))),
);

/** y = Σ xᵢ (Sum), every dxᵢ = dy. */
export const sum: GradientRule = ({ node, dy: [d] }) => node.inputs.map(() => () => d);

/** y = (Σ xᵢ) / n (Mean), every dxᵢ = dy / n. */
export const mean: GradientRule = ({ node, dy: [d], g }) =>
  node.inputs.map(() => () => g.scale(d, 1 / node.inputs.length));

/** y = max xᵢ or min xᵢ, elementwise: the gradient is shared evenly between the inputs that reach y. */
export const extremum: GradientRule = ({ node, x, y: [y], dy: [d], g }) => {
  const hits = node.inputs.map((_, i) => g.indicator(g.compare('Equal', x[i]!, y), d));
  const share =
    hits.length === 1
      ? d
      : g.div(
          d,
          hits.reduce((a, b) => g.add(a, b)),
        );
  return hits.map((hit) => () => g.mul(share, hit));
};

/** y = min(max(x, lo), hi); dx = dy where lo ≤ x ≤ hi; a bound takes the gradient of what it cut. */
export const clip: GradientRule = ({ node, x: [x, lo, hi], dy: [d], g }) => {
  const zero = g.scalar(0, x);
  const below = node.inputs[1] && g.compare('Less', x, lo);
  const above = node.inputs[2] && g.compare('Greater', x, hi);
  const cut = (v: Value, where: Value | undefined) => (where ? g.where(where, zero, v) : v);
  return [
    () => cut(cut(d, below), above),
    () => g.where(below!, d, zero),
    () => g.where(above!, d, zero),
  ];
};

/** y = c ? a : b;  da = c ? dy : 0, db = c ? 0 : dy. */
export const where: GradientRule = ({ x: [c], dy: [d], g }) => [
  null,
  () => g.where(c, d, g.scalar(0, d)),
  () => g.where(c, g.scalar(0, d), d),
];
