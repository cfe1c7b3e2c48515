/** @file Standardised features: their pattern, without their offset and size. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import { adapted } from './adapter.ts';
import { meanOf } from './divergence.ts';
import type { Signal } from './signal.ts';

const EPSILON = 1e-6;

/** (x − mean) / sqrt(population variance + 1e-6), each channel over images and positions. */
function standardize(g: GraphBuilder, x: Value): Value {
  const shape = shapeOf(x);
  const axes = [...shape.keys()].filter((axis) => axis !== 1);
  const mean = (v: Value) => g.scale(g.sum(v, axes), shape[1]! / sizeOf(shape));
  const centred = g.sub(x, mean(x));
  const variance = mean(g.mul(centred, centred));
  return g.div(centred, g.sqrt(g.plus(variance, EPSILON)));
}

/**
 * L = mean over all elements of (z_student − z_teacher)²; the gradient goes through mean and variance.
 * Source: after Cao 2022, PKD, without its factor 1/2.
 */
export const standardizedMse: Signal = {
  summary: 'Features: mean squared difference of standardised channels (PKD).',
  reads: 'features',
  build(g, student, teacher, { adapter }) {
    const features = adapted(g, student, adapter);
    const difference = g.sub(standardize(g, features), standardize(g, teacher));
    return meanOf(g, g.mul(difference, difference));
  },
};
