/** @file Gradients of the reductions. Each op's slope dy/dx, times dy brought back to the shape of x. */

import { intOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { axisOf, range, shapeOf } from '../../onnx/static-shapes.ts';
import { constantInput } from '../refusal.ts';
import type { GradientRule } from '../rule.ts';

interface Reduced {
  readonly g: GraphBuilder;
  readonly x: Value;
  /** y and dy with the reduced axes kept as 1. */
  readonly y: Value;
  readonly d: Value;
  readonly axes: readonly number[];
}

/** Axes that a reduction runs over: a constant second input, else all (or none, where the node says so). */
export function reducedAxes(node: Node, rank: number): number[] {
  const list = constantInput(node, 1) ?? [];
  if (list.length > 0) return list.map((a) => axisOf(a, rank));
  return intOf(node, 'noop_with_empty_axes', 0) === 1 ? [] : range(rank);
}

const reduction =
  (gradient: (r: Reduced) => Value): GradientRule =>
  ({ node, x: [x], y: [y], dy: [d], g }) => [
    () => {
      const shape = shapeOf(x);
      const axes = reducedAxes(node, shape.length);
      if (axes.length === 0) return d;
      const kept = shape.map((s, i) => (axes.includes(i) ? 1 : s));
      return gradient({ g, x, y: g.reshape(y, kept), d: g.reshape(d, kept), axes });
    },
    null,
  ];

const count = ({ x, axes }: Reduced) => axes.reduce((n, i) => n * shapeOf(x)[i]!, 1);
const stretch = ({ g, x }: Reduced, v: Value) =>
  g.op('Expand', [v, g.ints(shapeOf(x))], shapeOf(x));

/** y = Σ x;  dx = dy. */
export const sum = reduction((r) => stretch(r, r.d));

/** y = Σ x / n;  dx = dy / n. */
export const mean = reduction((r) => stretch(r, r.g.scale(r.d, 1 / count(r))));

/** y = max x or min x;  dx = dy shared evenly between the places that hold y. */
export const extremum = reduction(({ g, x, y, d, axes }) => {
  const hit = g.indicator(g.compare('Equal', x, y), x);
  return g.mul(hit, g.div(d, g.sum(hit, axes)));
});

/** y = Π x;  dx = dy·Π of the others, zeros included: with one zero only its place moves, with two none does. */
export const product = reduction(({ g, x, d, axes }) => {
  const zero = g.compare('Equal', x, g.scalar(0, x));
  const safe = g.where(zero, g.scalar(1, x), x);
  const others = g.reduce('ReduceProd', safe, axes);
  const zeros = g.sum(g.indicator(zero, x), axes);
  const none = g.indicator(g.compare('Equal', zeros, g.scalar(0, x)), x);
  const one = g.indicator(g.compare('Equal', zeros, g.scalar(1, x)), x);
  return g.mul(d, g.where(zero, g.mul(one, others), g.mul(none, g.div(others, safe))));
});

/** y = Σ |x|;  dx = dy·sign x. */
export const l1 = reduction(({ g, x, d }) => g.mul(d, g.unary('Sign', x)));

/** y = √Σ x²;  dx = dy·x / y (0 where y = 0). */
export const l2 = reduction(({ g, x, y, d }) => {
  const flat = g.compare('Equal', y, g.scalar(0, y));
  return g.mul(g.div(d, g.where(flat, g.scalar(1, y), y)), x);
});

/** y = Σ x²;  dx = 2·dy·x. */
export const sumSquare = reduction(({ g, x, d }) => g.mul(g.scale(d, 2), x));

/** y = ln Σ x;  dx = dy / Σ x = dy·e^(−y). */
export const logSum = reduction((r) => stretch(r, r.g.mul(r.d, r.g.exp(r.g.neg(r.y)))));

/** y = ln Σ e^x;  dx = dy·e^(x − y). */
export const logSumExp = reduction(({ g, x, y, d }) => g.mul(d, g.exp(g.sub(x, y))));

/** y[i] = Σ_{j ≤ i} x[j];  dx = the same sum from the other end. */
export const cumSum: GradientRule = ({ node, x: [, axis], dy: [d], g }) => [
  () =>
    g.op('CumSum', [d, axis], shapeOf(d), {
      exclusive: { type: 'int', value: intOf(node, 'exclusive', 0) },
      reverse: { type: 'int', value: 1 - intOf(node, 'reverse', 0) },
    }),
  null,
];
