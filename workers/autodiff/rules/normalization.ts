/** @file Gradients of softmax and of the normalization layers. */

import { floatOf, intOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { axisOf, range, type Shape, shapeOf } from '../../onnx/static-shapes.ts';
import { refuse } from '../refusal.ts';
import type { GradientContext, GradientRule } from '../rule.ts';

/**
 * y = e^x / Σ e^x;  dx = y·(e − Σ e·y) with e = dy − Σ dy·y.
 *
 * Taking the mean out twice changes nothing in exact numbers; in float32 it keeps the digits where y is nearly one-hot and
 * dy − Σ dy·y cancels.
 */
export const softmax: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    const axis = axisOf(intOf(node, 'axis', -1), shapeOf(x).length);
    const centred = g.sub(d, g.sum(g.mul(d, y), [axis]));
    return g.mul(y, g.sub(centred, g.sum(g.mul(centred, y), [axis])));
  },
];

/** y = x − ln Σ e^x;  dx = dy − e^y·Σ dy. */
export const logSoftmax: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    const axis = axisOf(intOf(node, 'axis', -1), shapeOf(x).length);
    return g.sub(d, g.mul(g.exp(y), g.sum(d, [axis])));
  },
];

/** Mean over `axes`, which stay as 1. */
export const mean = (g: GraphBuilder, v: Value, axes: readonly number[]) =>
  g.reduce('ReduceMean', v, axes);

/** x̂ = (x − μ)·r over `axes`, r = 1/√(σ² + ε), σ² the population variance. */
export function standardized(
  g: GraphBuilder,
  x: Value,
  axes: readonly number[],
  epsilon: number,
): { hat: Value; r: Value } {
  const centred = g.sub(x, mean(g, x, axes));
  const variance = mean(g, g.mul(centred, centred), axes);
  const r = g.unary('Reciprocal', g.sqrt(g.plus(variance, epsilon)));
  return { hat: g.mul(centred, r), r };
}

/** dx = r·(e − mean e − x̂·mean(e·x̂)), e = dL/dx̂, means over `axes`. */
export function throughStandardized(
  g: GraphBuilder,
  e: Value,
  hat: Value,
  r: Value,
  axes: readonly number[],
): Value {
  const inner = g.sub(g.sub(e, mean(g, e, axes)), g.mul(hat, mean(g, g.mul(e, hat), axes)));
  return g.mul(inner, r);
}

/** The statistics that an op gives beside its result are for whoever looks at them, not for a loss. */
export function onlyFirst({ node, arrives }: GradientContext): void {
  const statistic = node.outputs.find((_, i) => i > 0 && arrives(i));
  if (statistic) refuse(node, `the loss depends on its output '${statistic.name}', a statistic`);
}

/** Y = x̂·scale + B over the axes from `axis` on. */
export const layerNorm: GradientRule = (ctx) => {
  const {
    node,
    x: [x, scale],
    dy: [d],
    g,
  } = ctx;
  onlyFirst(ctx);
  const rank = shapeOf(x).length;
  const axes = range(rank).slice(axisOf(intOf(node, 'axis', -1), rank));
  const { hat, r } = standardized(g, x, axes, floatOf(node, 'epsilon', 1e-5));
  return [
    () => throughStandardized(g, g.mul(d, scale), hat, r, axes),
    () => g.mul(d, hat),
    () => d,
  ];
};

/** Y = x / √(mean x² + ε) · scale over the axes from `axis` on;  dx = r·(e − x̂·mean(e·x̂)). */
export const rmsNorm: GradientRule = (ctx) => {
  const {
    node,
    x: [x, scale],
    dy: [d],
    g,
  } = ctx;
  onlyFirst(ctx);
  const rank = shapeOf(x).length;
  const axes = range(rank).slice(axisOf(intOf(node, 'axis', -1), rank));
  const r = g.unary(
    'Reciprocal',
    g.sqrt(g.plus(mean(g, g.mul(x, x), axes), floatOf(node, 'epsilon', 1e-5))),
  );
  const hat = g.mul(x, r);
  const e = () => g.mul(d, scale);
  return [
    () => g.mul(r, g.sub(e(), g.mul(hat, mean(g, g.mul(e(), hat), axes)))),
    () => g.mul(d, hat),
  ];
};

/** A vector over channels, shaped to meet an (N, C, …) tensor. */
const perChannel = (g: GraphBuilder, v: Value, shape: Shape) =>
  g.reshape(
    v,
    shape.map((size, i) => (i === 1 ? size : 1)),
  );

const sumToChannels = (g: GraphBuilder, v: Value, shape: Shape) => {
  const axes = range(shape.length).filter((i) => i !== 1);
  return g.sum(v, axes, false);
};

/**
 * Inference: Y = (x − μ)·r·γ + β with μ, σ² given;  dx = dy·r·γ, dγ = Σ dy·x̂, dβ = Σ dy, dμ = −γ·r·Σ dy, dσ² = −½γ·r³·Σ dy·(x − μ).
 * Training (training_mode = 1): μ and σ² are those of the batch, and the gradient passes through them; the running
 * statistics get none.
 */
export const batchNorm: GradientRule = (ctx) => {
  const {
    node,
    x,
    dy: [d],
    g,
  } = ctx;
  onlyFirst(ctx);
  const [input, scale, , mu, variance] = x as readonly [Value, Value, Value, Value, Value];
  const shape = shapeOf(input);
  const epsilon = floatOf(node, 'epsilon', 1e-5);
  const gamma = perChannel(g, scale, shape);
  const sum = (v: Value) => sumToChannels(g, v, shape);
  if (intOf(node, 'training_mode', 0) === 1) {
    const axes = range(shape.length).filter((i) => i !== 1);
    const { hat, r } = standardized(g, input, axes, epsilon);
    return [
      () => throughStandardized(g, g.mul(d, gamma), hat, r, axes),
      () => sum(g.mul(d, hat)),
      () => sum(d),
      null,
      null,
    ];
  }
  const r = g.unary('Reciprocal', g.sqrt(g.plus(variance, epsilon)));
  const centred = () => g.sub(input, perChannel(g, mu, shape));
  return [
    () => g.mul(d, g.mul(gamma, perChannel(g, r, shape))),
    () => g.mul(sum(g.mul(d, centred())), r),
    () => sum(d),
    () => g.neg(g.mul(g.mul(sum(d), r), scale)),
    () => g.scale(g.mul(g.mul(sum(g.mul(d, centred())), scale), g.mul(r, g.mul(r, r))), -0.5),
  ];
};

/** Y = x̂·scale + B, statistics per sample and channel. */
export const instanceNorm: GradientRule = ({ node, x: [x, scale], dy: [d], g }) => {
  const shape = shapeOf(x);
  const axes = range(shape.length).slice(2);
  const { hat, r } = standardized(g, x, axes, floatOf(node, 'epsilon', 1e-5));
  return [
    () => throughStandardized(g, g.mul(d, perChannel(g, scale, shape)), hat, r, axes),
    () => sumToChannels(g, g.mul(d, hat), shape),
    () => sumToChannels(g, d, shape),
  ];
};

/** Y = x̂·scale + B, statistics per sample and group of channels; scale and B per channel (opset 21). */
export const groupNorm: GradientRule = ({ node, x: [x, scale], dy: [d], g }) => {
  const shape = shapeOf(x);
  const groups = intOf(node, 'num_groups', 1);
  const grouped = [shape[0]!, groups, shape.slice(1).reduce((n, s) => n * s, 1) / groups];
  const { hat, r } = standardized(g, g.reshape(x, grouped), [2], floatOf(node, 'epsilon', 1e-5));
  const wide = () => g.reshape(hat, shape);
  return [
    () => {
      const e = g.reshape(g.mul(d, perChannel(g, scale, shape)), grouped);
      return g.reshape(throughStandardized(g, e, hat, r, [2]), shape);
    },
    () => sumToChannels(g, g.mul(d, wide()), shape),
    () => sumToChannels(g, d, shape),
  ];
};

/** y = x / ‖x‖ along `axis`;  p = 2: dx = (dy − y·Σ dy·y)/‖x‖;  p = 1: dx = (dy − sign x·Σ dy·y)/‖x‖;  0 where ‖x‖ = 0. */
export const lpNorm: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    const axis = [axisOf(intOf(node, 'axis', -1), shapeOf(x).length)];
    const p = intOf(node, 'p', 2);
    const norm = g.reduce(p === 1 ? 'ReduceL1' : 'ReduceL2', x, axis);
    const direction = p === 1 ? g.unary('Sign', x) : y;
    const inner = g.sub(d, g.mul(direction, g.sum(g.mul(d, y), axis)));
    const none = g.compare('Equal', norm, g.scalar(0, norm));
    return g.where(none, g.scalar(0, d), g.div(inner, g.where(none, g.scalar(1, norm), norm)));
  },
];
