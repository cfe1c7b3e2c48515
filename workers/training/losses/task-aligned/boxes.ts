/** @file Boxes in a graph: their corners as four values that broadcast, and the complete IoU of two. */

import type { GraphBuilder } from '../../../onnx/builder.ts';
import type { Value } from '../../../onnx/graph.ts';

/** x1 y1 x2 y2, each of one shape. */
export type Corners = readonly [left: Value, top: Value, right: Value, bottom: Value];

const EPSILON = 1e-7;

/** Width, height (+ ε) and the angle atan(w / h) of a box: what CIoU asks of each box alone. */
export interface Measures {
  readonly w: Value;
  readonly h: Value;
  readonly angle: Value;
}

export function measures(g: GraphBuilder, [x1, y1, x2, y2]: Corners): Measures {
  const w = g.sub(x2, x1);
  const h = g.plus(g.sub(y2, y1), EPSILON);
  return { w, h, angle: g.unary('Atan', g.div(w, h)) };
}

/**
 * CIoU = IoU − ρ²/c² − α·v, with ρ the distance of the centres, c the diagonal of the box around both,
 * v = 4/π²·(atan(w₂/h₂) − atan(w₁/h₁))² and α = v / (1 − IoU + v + ε), a constant of the gradient. ε = 1e-7.
 *
 * Shapes broadcast. Source: Zheng 2020, Enhancing Geometric Factors.
 *
 * @param detach makes α a constant
 */
export function completeIoU(
  g: GraphBuilder,
  a: Corners,
  b: Corners,
  detach: (v: Value) => Value = (v) => v,
): Value {
  const [ma, mb] = [measures(g, a), measures(g, b)];
  const overlap = (i: 0 | 1) =>
    atLeastZero(g, g.sub(g.binary('Min', a[i + 2]!, b[i + 2]!), g.binary('Max', a[i]!, b[i]!)));
  const inter = g.mul(overlap(0), overlap(1));
  const areas = g.add(g.mul(ma.w, ma.h), g.plus(g.mul(mb.w, mb.h), EPSILON));
  const iou = g.div(inter, g.sub(areas, inter));
  const side = (i: 0 | 1) =>
    square(g, g.sub(g.binary('Max', a[i + 2]!, b[i + 2]!), g.binary('Min', a[i]!, b[i]!)));
  const diagonal = g.plus(g.add(side(0), side(1)), EPSILON);
  const between = (i: 0 | 1) => square(g, g.sub(g.add(b[i]!, b[i + 2]!), g.add(a[i]!, a[i + 2]!)));
  const distance = g.scale(g.add(between(0), between(1)), 0.25);
  const v = g.scale(square(g, g.sub(mb.angle, ma.angle)), 4 / Math.PI ** 2);
  const alpha = detach(g.div(v, g.plus(g.sub(v, iou), 1 + EPSILON)));
  return g.sub(iou, g.add(g.div(distance, diagonal), g.mul(v, alpha)));
}

export const square = (g: GraphBuilder, a: Value): Value => g.mul(a, a);
export const atLeastZero = (g: GraphBuilder, a: Value): Value => g.unary('Relu', a);
