/** @file Gradients of activation functions. σ is the logistic function. */

import { floatOf, stringOf } from '../../onnx/attributes.ts';
import type { GradientRule } from '../rule.ts';
import { unary } from './elementwise.ts';

/** y = σ(x);  dx = dy·y·(1 − y). */
export const sigmoid = unary(({ y, d, g }) => g.mul(d, g.mul(y, g.sub(g.scalar(1, y), y))));

/** y = tanh x;  dx = dy·(1 − y²). */
export const tanh = unary(({ y, d, g }) => g.mul(d, g.sub(g.scalar(1, y), g.mul(y, y))));

/** y = max(x, 0);  dx = dy where x > 0 (0 at 0). */
export const relu = unary(({ y, d, g }) =>
  g.where(g.compare('Greater', y, g.scalar(0, y)), d, g.scalar(0, d)),
);

/** y = x < 0 ? αx : x;  dx = dy·(x < 0 ? α : 1). */
export const leakyRelu = unary(({ x, d, g, node }) =>
  g.where(g.compare('Less', x, g.scalar(0, x)), g.scale(d, floatOf(node, 'alpha', 0.01)), d),
);

/** y = x < 0 ? s·x : x;  dx = dy·(x < 0 ? s : 1), ds = x < 0 ? dy·x : 0. */
export const prelu: GradientRule = ({ x: [x, s], dy: [d], g }) => {
  const negative = g.compare('Less', x, g.scalar(0, x));
  return [
    () => g.where(negative, g.mul(d, s), d),
    () => g.where(negative, g.mul(d, x), g.scalar(0, d)),
  ];
};

/** y = x < 0 ? α(eˣ − 1) : x;  dx = dy·(x < 0 ? y + α : 1). */
export const elu = unary(({ x, y, d, g, node }) =>
  g.where(g.compare('Less', x, g.scalar(0, x)), g.mul(d, g.plus(y, floatOf(node, 'alpha', 1))), d),
);

/** y = max(0, x) + min(0, α(e^(x/α) − 1));  dx = dy·(x < 0 ? e^(x/α) : 1). */
export const celu = unary(({ x, d, g, node }) => {
  const slope = g.exp(g.scale(x, 1 / floatOf(node, 'alpha', 1)));
  return g.where(g.compare('Less', x, g.scalar(0, x)), g.mul(d, slope), d);
});

/** y = γ(x > 0 ? x : α(eˣ − 1));  dx = dy·(x > 0 ? γ : y + γα). */
export const selu = unary(({ x, y, d, g, node }) => {
  const alpha = floatOf(node, 'alpha', 1.6732632423543772);
  const gamma = floatOf(node, 'gamma', 1.0507009873554805);
  const positive = g.compare('Greater', x, g.scalar(0, x));
  return g.where(positive, g.scale(d, gamma), g.mul(d, g.plus(y, gamma * alpha)));
});

/** y = ln(1 + eˣ);  dx = dy·σ(x). */
export const softplus = unary(({ x, d, g }) => g.mul(d, g.sigmoid(x)));

/** y = x / (1 + |x|);  dx = dy / (1 + |x|)². */
export const softsign = unary(({ x, d, g }) => {
  const below = g.plus(g.unary('Abs', x), 1);
  return g.div(d, g.mul(below, below));
});

/** y = clamp(αx + β, 0, 1);  dx = dy·α where 0 < y < 1. */
export const hardSigmoid = unary(({ y, d, g, node }) => {
  const inside = g.binary(
    'And',
    g.compare('Greater', y, g.scalar(0, y)),
    g.compare('Less', y, g.scalar(1, y)),
  );
  return g.where(inside, g.scale(d, floatOf(node, 'alpha', 0.2)), g.scalar(0, d));
});

/** y = x·clamp(x/6 + ½, 0, 1);  dx = dy·(x ≤ −3 ? 0 : x ≥ 3 ? 1 : x/3 + ½). */
export const hardSwish = unary(({ x, d, g }) => {
  const slope = g.plus(g.scale(x, 1 / 3), 0.5);
  const upper = g.where(g.compare('Less', x, g.scalar(3, x)), slope, g.scalar(1, x));
  return g.mul(d, g.where(g.compare('Greater', x, g.scalar(-3, x)), upper, g.scalar(0, x)));
});

/** y = x·t, t = tanh(softplus x);  dx = dy·(t + x·(1 − t²)·σ(x)). */
export const mish = unary(({ x, d, g }) => {
  const t = g.unary('Tanh', g.unary('Softplus', x));
  const bend = g.mul(g.mul(x, g.sigmoid(x)), g.sub(g.scalar(1, x), g.mul(t, t)));
  return g.mul(d, g.add(t, bend));
});

/** y = x·σ(αx);  dx = dy·(σ + αy(1 − σ)). */
export const swish = unary(({ x, y, d, g, node }) => {
  const alpha = floatOf(node, 'alpha', 1);
  const s = g.sigmoid(g.scale(x, alpha));
  return g.mul(d, g.add(s, g.scale(g.mul(y, g.sub(g.scalar(1, s), s)), alpha)));
});

/**
 * y = x·Φ(x), Φ the normal distribution function, φ its density;  dx = dy·(Φ + x·φ).
 * approximate = tanh:  y = ½x(1 + t), t = tanh u, u = √(2/π)(x + 0.044715x³);
 *     dx = dy·½(1 + t + x·(1 − t²)·u′), u′ = √(2/π)(1 + 3·0.044715x²).
 */
export const gelu = unary(({ x, d, g, node }) => {
  const square = g.mul(x, x);
  if (stringOf(node, 'approximate', 'none') === 'tanh') {
    const c = Math.sqrt(2 / Math.PI);
    const t = g.unary('Tanh', g.scale(g.mul(x, g.plus(g.scale(square, 0.044715), 1)), c));
    const du = g.scale(g.plus(g.scale(square, 3 * 0.044715), 1), c);
    const bend = g.mul(g.mul(x, du), g.sub(g.scalar(1, x), g.mul(t, t)));
    return g.mul(d, g.scale(g.add(g.plus(t, 1), bend), 0.5));
  }
  const cdf = g.scale(g.plus(g.unary('Erf', g.scale(x, Math.SQRT1_2)), 1), 0.5);
  const pdf = g.scale(g.exp(g.scale(square, -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return g.mul(d, g.add(cdf, g.mul(x, pdf)));
});

/** y = x > α ? x : 0;  dx = dy where x > α. */
export const thresholdedRelu = unary(({ x, d, g, node }) =>
  g.where(g.compare('Greater', x, g.scalar(floatOf(node, 'alpha', 1), x)), d, g.scalar(0, d)),
);

/** y = x − bias above λ, x + bias below −λ, 0 between;  dx = dy outside. */
export const shrink = unary(({ x, d, g, node }) => {
  const outside = g.compare('Greater', g.unary('Abs', x), g.scalar(floatOf(node, 'lambd', 0.5), x));
  return g.where(outside, d, g.scalar(0, d));
});
