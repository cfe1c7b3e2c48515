/** @file Boxes themselves: how far the student's lie from the teacher's. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { meanOverLocations } from './divergence.ts';
import type { Signal } from './signal.ts';

/** Keeps empty boxes from dividing by 0. */
const EPSILON = 1e-7;

/**
 * GIoU = I/U − (C − U)/C,  I the intersection, U the union, C the area of the box around both; [B, 1, A] of boxes
 * [B, 4, A] as corners x1 y1 x2 y2 in any unit; U and C + 1e-7. Source: Rezatofighi 2019, Generalized IoU.
 */
export function generalizedIoU(g: GraphBuilder, a: Value, b: Value): Value {
  const corner = (box: Value, i: number) => g.slice(box, [1], [i], [i + 1], [1]);
  const extent = (box: Value, i: 0 | 1) => g.sub(corner(box, i + 2), corner(box, i));
  const area = (box: Value) => g.mul(extent(box, 0), extent(box, 1));
  const between = (low: 'Min' | 'Max', high: 'Min' | 'Max', i: 0 | 1) =>
    g.sub(
      g.binary(high, corner(a, i + 2), corner(b, i + 2)),
      g.binary(low, corner(a, i), corner(b, i)),
    );
  const overlap = (i: 0 | 1) => g.unary('Relu', between('Max', 'Min', i));
  const inter = g.mul(overlap(0), overlap(1));
  const union = g.plus(g.sub(g.add(area(a), area(b)), inter), EPSILON);
  const around = g.plus(g.mul(between('Min', 'Max', 0), between('Min', 'Max', 1)), EPSILON);
  return g.sub(g.div(inter, union), g.div(g.sub(around, union), around));
}

/**
 * L = Σ over images and locations of w·(1 − GIoU(student, teacher)) / Σ w; their mean without weights. Boxes [B, 4, A]
 * as corners, weights [B, A].
 */
export const boxGiou: Signal = {
  summary: 'Boxes: 1 − GIoU to the teacher’s, each location by how certain the teacher is there.',
  reads: 'boxes',
  build(g, student, teacher, { locationWeight }) {
    const giou = g.sum(generalizedIoU(g, student, teacher), [1], false);
    return meanOverLocations(g, g.sub(g.scalar(1, giou), giou), locationWeight);
  },
};
