/** @file Kullback-Leibler divergence of softmaxes, and means over weighted locations. */

import { int } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';

/**
 * T² Σ p (ln p − ln q) along `axis`, which is left out; p = softmax(teacher / T), q = softmax(student / T).
 * Source: Hinton 2015.
 */
export function divergence(
  g: GraphBuilder,
  student: Value,
  teacher: Value,
  axis: number,
  temperature: number,
): Value {
  const log = (x: Value) => g.unary('LogSoftmax', g.scale(x, 1 / temperature), { axis: int(axis) });
  const [lnP, lnQ] = [log(teacher), log(student)];
  const terms = g.mul(g.exp(lnP), g.sub(lnP, lnQ));
  return g.scale(g.sum(terms, [axis], false), temperature ** 2);
}

export function meanOf(g: GraphBuilder, x: Value): Value {
  const shape = shapeOf(x);
  const all = g.sum(x, [...shape.keys()], false);
  return g.scale(all, 1 / sizeOf(shape));
}

/** Σ w·l / max(Σ w, 1e-9) over all locations; their mean without weights. */
export function meanOverLocations(g: GraphBuilder, l: Value, weight: Value | undefined): Value {
  if (weight === undefined) return meanOf(g, l);
  const total = (x: Value) => g.sum(x, [...shapeOf(x).keys()], false);
  const all = total(weight);
  return g.div(total(g.mul(l, weight)), g.binary('Max', all, g.scalar(1e-9, all)));
}
