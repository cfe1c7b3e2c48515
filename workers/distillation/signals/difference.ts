/** @file Plain differences: features through an adapter, and outputs of any model. */

import type { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import { adapted } from './adapter.ts';
import { meanOf } from './divergence.ts';
import type { Signal } from './signal.ts';

/** L = mean (adapter(student) − teacher)². Source: Romero 2015, FitNets. */
export const featureMse: Signal = {
  summary: 'Features: mean squared difference, through a 1×1 adapter where widths differ.',
  reads: 'features',
  build(g, student, teacher, { adapter }) {
    const difference = g.sub(adapted(g, student, adapter), teacher);
    return meanOf(g, g.mul(difference, difference));
  },
};

/** L = mean (student − teacher)². */
export const outputMse: Signal = {
  summary: 'Outputs of any model: mean squared difference.',
  reads: 'outputs',
  build: (g, student, teacher) => {
    const difference = g.sub(student, teacher);
    return meanOf(g, g.mul(difference, difference));
  },
};

/**
 * L = Σ (student − teacher)² / (Σ (teacher − mean teacher)² + 1e-12): the share of the teacher's variance that is missed,
 * which layers of any scale have in common.
 */
export const outputVariance: Signal = {
  summary: 'Outputs of any model: share of the teacher’s variance that is missed.',
  reads: 'outputs',
  build(g, student, teacher) {
    const axes = [...shapeOf(teacher).keys()];
    const squares = (x: Value) => g.sum(g.mul(x, x), axes, false);
    const centred = g.sub(teacher, meanOf(g, teacher));
    return g.div(squares(g.sub(student, teacher)), g.plus(squares(centred), 1e-12));
  },
};

/** L = mean of d²/2β where |d| < β, else |d| − β/2;  d = student − teacher. Source: Girshick 2015. */
export const outputSmoothL1: Signal = {
  summary: 'Outputs of any model: smooth L1, which outliers pull less.',
  reads: 'outputs',
  build(g, student, teacher, { beta = 1 }) {
    const difference = g.sub(student, teacher);
    const size = g.unary('Abs', difference);
    const near = g.scale(g.mul(difference, difference), 0.5 / beta);
    const small = g.compare('Less', size, g.scalar(beta, size));
    return meanOf(g, g.where(small, near, g.plus(size, -beta / 2)));
  },
};
