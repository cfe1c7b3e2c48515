/** @file Gradients of the com.microsoft ops that add a residual and normalize the sum over the last axis. */

import { floatOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import { refuse } from '../refusal.ts';
import type { GradientContext, GradientRule, Operands } from '../rule.ts';
import { layerNorm, rmsNorm } from './normalization.ts';

const EPSILON = 1e-12;
const SUM_OUTPUT = 3;

/**
 * Y = norm(s)·γ + β, s = input + skip + bias; s itself may be a fourth output.
 *
 *     ds = d norm + dY₃      dinput = dskip = dbias = ds
 */
function skipNorm(ctx: GradientContext, norm: GradientRule, bias: number): (() => Value)[] {
  const { node, x, dy, g, arrives } = ctx;
  for (const i of [1, 2])
    if (arrives(i)) refuse(node, `the loss depends on its output ${i}, a statistic`);
  const added = node.inputs[bias] ? g.add(g.add(x[0], x[1]), x[bias]!) : g.add(x[0], x[1]);
  const operands: Operands = [added, x[2], x[2]];
  const inner = norm({
    ...ctx,
    x: operands,
    arrives: (i) => i === 0 && arrives(0),
    node: {
      ...node,
      attributes: {
        axis: { type: 'int', value: shapeOf(x[0]).length - 1 },
        epsilon: { type: 'float', value: floatOf(node, 'epsilon', EPSILON) },
      },
    },
  });
  const ds = () => (arrives(SUM_OUTPUT) ? g.add(inner[0]!(), dy[SUM_OUTPUT]!) : inner[0]!());
  return [ds, ds, ...inner.slice(1).map((d) => d!), ds];
}

/** Inputs: input, skip, γ, β, bias. */
export const skipLayerNorm: GradientRule = (ctx) => skipNorm(ctx, layerNorm, 4);

/** Inputs: input, skip, γ, bias. */
export const skipRmsNorm: GradientRule = (ctx) => skipNorm(ctx, rmsNorm, 3);
