/** @file Gradient of Dropout. */

import { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import { castLike } from '../cast.ts';
import { constantInput } from '../refusal.ts';
import type { GradientRule } from '../rule.ts';

/**
 * Inference: y = x;  dx = dy. Training (a constant `training_mode` of true): y = x·mask / (1 − ratio);
 * dx = dy·mask / (1 − ratio), with the mask that the op itself drew, its second output.
 */
export const dropout: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    if (constantInput(node, 2)?.[0] !== 1) return d;
    const ratio = constantInput(node, 1)?.[0] ?? 0.5;
    const mask = node.outputs[1] ?? new Value(g.name(`${y.name}/mask`));
    mask.type = { kind: 'tensor', dtype: 'bool', shape: shapeOf(y) };
    node.outputs[1] = mask;
    return g.scale(g.mul(d, castLike(g, mask, x)), 1 / (1 - ratio));
  },
  null,
  null,
];
