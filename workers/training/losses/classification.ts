/** @file Losses of classifiers: cross-entropy with label smoothing, and binary cross-entropy per class. */

import { int } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { classLogits } from './class-logits.ts';
import type { Loss, LossOptions } from './loss.ts';

/** One loss from what it does with logits and targets, both [B, classes], and how many classes there are. */
const overClasses = (
  summary: string,
  each: (g: GraphBuilder, x: Value, t: Value, classes: number, options: LossOptions) => Value,
): Loss => ({
  summary,
  labels: 'classes',
  bind(graph, binding, options) {
    const found = classLogits(graph, binding);
    if (typeof found === 'string') return { misfit: found };
    const { logits, classes } = found;
    return {
      reads: [logits],
      build({ g, batch, input }) {
        const shape = [batch, classes];
        const target = input('labels/classes', shape);
        const loss = each(g, g.reshape(logits, shape), target, classes, options);
        const total = g.scale(g.sum(loss, [0, 1], false), 1 / batch);
        return {
          total,
          parts: {},
          feeds: (labels) => {
            if (labels.kind !== 'classes')
              throw new TypeError('internal: the labels are no classes');
            return { [target.name]: { dims: shape, data: labels.targets } };
          },
        };
      },
    };
  },
});

/**
 * L = −1/B Σ_b Σ_c t′·ln softmax(x),  t′ = (1 − ε)·t + ε/C with ε the label smoothing (0.1 unless stated).
 * Source: Szegedy 2016, Rethinking the Inception Architecture.
 */
export const crossEntropy = overClasses(
  'Classifiers with one class per image: softmax cross-entropy, labels smoothed.',
  (g, x, t, classes, { labelSmoothing = 0.1 }) => {
    const smooth = g.plus(g.scale(t, 1 - labelSmoothing), labelSmoothing / classes);
    const log = g.unary('LogSoftmax', x, { axis: int(1) });
    return g.neg(g.mul(smooth, log));
  },
);

/** L = 1/B Σ_b Σ_c (softplus(x) − x·t): any number of classes per image. */
export const binaryCrossEntropy = overClasses(
  'Classifiers with any number of classes per image: sigmoid cross-entropy per class.',
  (g, x, t) => g.sub(g.unary('Softplus', x), g.mul(x, t)),
);
