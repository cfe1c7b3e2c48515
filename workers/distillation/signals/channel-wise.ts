/** @file Channel-wise distillation: where in the image each channel looks. */

import type { Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import { adapted } from './adapter.ts';
import { divergence, meanOf } from './divergence.ts';
import type { Signal } from './signal.ts';

/**
 * L = τ² / (B·C) Σ over images and channels of KL(softmax over positions of teacher / τ ‖ the same of the student).
 * Features [B, C, …]; τ is `temperature`. Source: Shu 2021, Channel-wise Knowledge Distillation.
 */
export const channelWise: Signal = {
  summary: 'Features: KL between softmaxes over the positions of each channel (CWD).',
  reads: 'features',
  build(g, student, teacher, { temperature = 1, adapter }) {
    const flat = (x: Value) => {
      const [batch, channels, ...space] = shapeOf(x) as [number, number, ...number[]];
      return g.reshape(x, [batch, channels, sizeOf(space)]);
    };
    const features = flat(adapted(g, student, adapter));
    return meanOf(g, divergence(g, features, flat(teacher), 2, temperature));
  },
};
