/** @file Gradients of com.microsoft fusions: the plain op's rule, and what was fused before or after it. */

import { floatOf, intOf, stringOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { range, shapeOf } from '../../onnx/static-shapes.ts';
import { refuse } from '../refusal.ts';
import type { GradientContext, GradientRule, Operands } from '../rule.ts';
import { gelu as plainGelu, swish } from './activations.ts';
import { conv as plainConv } from './convolution.ts';
import { gemm as plainGemm, matmul as plainMatmul } from './linear.ts';

/** The rule of another op, as if `node` had these attributes. */
const as = (rule: GradientRule, ctx: GradientContext, attributes: Node['attributes']) =>
  rule({ ...ctx, node: { ...ctx.node, attributes: { ...ctx.node.attributes, ...attributes } } });

/** y = x·σ(αx), α = 1.702 where none is given. */
export const quickGelu: GradientRule = (ctx) =>
  as(swish, ctx, { alpha: { type: 'float', value: floatOf(ctx.node, 'alpha', 1.702) } });

/** y = f(x + b), b optional;  dx = db = dy·f′(x + b). */
const afterBias =
  (approximate: string): GradientRule =>
  (ctx) => {
    const { node, x, g } = ctx;
    const sum = node.inputs[1] ? g.add(x[0], x[1]) : x[0];
    const operands: Operands = [sum, sum, sum];
    const [dx] = as(
      plainGelu,
      { ...ctx, x: operands },
      {
        approximate: { type: 'string', value: approximate },
      },
    );
    return [dx!, dx!];
  };

/** y = gelu(x + b). */
export const biasGelu = afterBias('none');

/** y = gelu(x + b) by the tanh formula, b optional. */
export const fastGelu = afterBias('tanh');

/** Slope of an activation in terms of its own result y, times d; by the name that fusions use. */
type Slope = (g: GraphBuilder, y: Value, d: Value, parameters: readonly number[]) => Value;

const within = (g: GraphBuilder, y: Value, lo: number, hi: number, d: Value) => {
  const above = g.compare('Greater', y, g.scalar(lo, y));
  const below = g.compare('Less', y, g.scalar(hi, y));
  return g.where(g.binary('And', above, below), d, g.scalar(0, d));
};

const SLOPES: Readonly<Record<string, Slope>> = {
  Relu: (g, y, d) => g.where(g.compare('Greater', y, g.scalar(0, y)), d, g.scalar(0, d)),
  Tanh: (g, y, d) => g.mul(d, g.sub(g.scalar(1, y), g.mul(y, y))),
  Sigmoid: (g, y, d) => g.mul(d, g.mul(y, g.sub(g.scalar(1, y), y))),
  LeakyRelu: (g, y, d, [alpha = 0.01]) =>
    g.where(g.compare('Less', y, g.scalar(0, y)), g.scale(d, alpha), d),
  Clip: (g, y, d, [lo = -3.4e38, hi = 3.4e38]) => within(g, y, lo, hi, d),
  HardSigmoid: (g, y, d, [alpha = 0.2]) => within(g, y, 0, 1, g.scale(d, alpha)),
};

/** dL/d(what the activation was applied to). */
function beforeActivation({ node, y: [y], dy: [d], g }: GradientContext, given: number[]): Value {
  const name = stringOf(node, 'activation', '');
  if (name === '') return d;
  const slope = SLOPES[name];
  return slope ? slope(g, y, d, given) : refuse(node, `its activation ${name} has no rule`);
}

const withGradient = (ctx: GradientContext, d: Value): GradientContext => ({
  ...ctx,
  dy: [d, d, d],
});

/** Y = activation(Conv(X, W) + B + Z);  Z, optional, is of Y's shape. */
export const fusedConv: GradientRule = (ctx) => {
  const parameters = ctx.node.attributes['activation_params'];
  const given = parameters?.type === 'floats' ? [...parameters.value] : [];
  const d = beforeActivation(ctx, given);
  return [...plainConv(withGradient(ctx, d)), () => d];
};

/** Y = activation(α·A′·B′ + β·C). */
export const fusedGemm: GradientRule = (ctx) => {
  const given = ['activation_alpha', 'activation_beta', 'activation_gamma'].flatMap((name) =>
    ctx.node.attributes[name] ? [floatOf(ctx.node, name, 0)] : [],
  );
  return plainGemm(withGradient(ctx, beforeActivation(ctx, given)));
};

/**
 * Y = α·A′·B′, where a prime may swap the last two axes (`transA`) or move the first axis behind all but the last
 * (`transBatchA`);  the gradients are those of MatMul(A′, B′), moved back.
 */
export const fusedMatmul: GradientRule = (ctx) => {
  const { node, x, dy, g } = ctx;
  const perms = ['A', 'B'].map((side, i) =>
    permutation(
      shapeOf(x[i]!).length,
      intOf(node, `transBatch${side}`, 0) === 1,
      intOf(node, `trans${side}`, 0) === 1,
    ),
  );
  const [a, b] = perms.map((perm, i) => g.transpose(x[i]!, perm)) as [Value, Value];
  const d = g.scale(dy[0], floatOf(node, 'alpha', 1));
  const gradients = plainMatmul({ ...withGradient(ctx, d), x: [a, b, b] });
  return gradients.map((dx, i) => () => g.transpose(dx!(), inverse(perms[i]!)));
};

/** Axes (d₀, …, M, K): with `batch` M stands first and is moved to its place; then `swap` exchanges M and K. */
function permutation(rank: number, batch: boolean, swap: boolean): number[] {
  const axes = range(rank);
  if (rank < 2) return axes;
  if (batch) axes.splice(rank - 2, 0, ...axes.splice(0, 1));
  if (swap) axes.push(...axes.splice(rank - 2, 1));
  return axes;
}

const inverse = (perm: readonly number[]) => range(perm.length).map((i) => perm.indexOf(i));

/** Y = X⁻¹;  dX = −Yᵀ·dY·Yᵀ. */
export const inverseMatrix: GradientRule = ({ y: [y], dy: [d], g }) => [
  () => g.neg(g.matmul(g.matmul(g.swap(y), d), g.swap(y))),
];
