/** @file Box distributions: how sure the teacher is of each side of a box. */

import { castLike } from '../../autodiff/cast.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import { divergence, meanOverLocations } from './divergence.ts';
import { toDouble } from './double.ts';
import type { Signal } from './signal.ts';

/**
 * L = mean over locations, weighted if asked, of the mean over sides of T² KL(softmax(teacher / T) ‖ softmax(student / T))
 * over the bins. Logits [B, sides · bins, A], channel = bins · side + bin; weights [B, A].
 * Source: Zheng 2022, Localization Distillation.
 */
export const boxDistribution: Signal = {
  summary: 'Box distributions: KL over the bins of every side.',
  reads: 'box-logits',
  build(g, student, teacher, { temperature = 1, bins = 16, locationWeight }) {
    const [batch, channels, locations] = shapeOf(student) as [number, number, number];
    const sides = channels / bins;
    const split = (x: typeof student) => g.reshape(toDouble(g, x), [batch, sides, bins, locations]);
    const bySide = divergence(g, split(student), split(teacher), 2, temperature);
    const loss = g.scale(g.sum(bySide, [1], false), 1 / sides);
    const weight = locationWeight && toDouble(g, locationWeight);
    return castLike(g, meanOverLocations(g, loss, weight), student);
  },
};
