/** @file Gradients of the circular and hyperbolic functions and their inverses. */

import { unary } from './elementwise.ts';

/** y = sin x;  dx = dy·cos x. */
export const sin = unary(({ x, d, g }) => g.mul(d, g.unary('Cos', x)));

/** y = cos x;  dx = −dy·sin x. */
export const cos = unary(({ x, d, g }) => g.neg(g.mul(d, g.unary('Sin', x))));

/** y = tan x;  dx = dy·(1 + y²). */
export const tan = unary(({ y, d, g }) => g.mul(d, g.plus(g.mul(y, y), 1)));

/** y = arcsin x;  dx = dy / √(1 − x²). */
export const asin = unary(({ x, d, g }) => g.div(d, g.sqrt(g.sub(g.scalar(1, x), g.mul(x, x)))));

/** y = arccos x;  dx = −dy / √(1 − x²). */
export const acos = unary(({ x, d, g }) =>
  g.neg(g.div(d, g.sqrt(g.sub(g.scalar(1, x), g.mul(x, x))))),
);

/** y = arctan x;  dx = dy / (1 + x²). */
export const atan = unary(({ x, d, g }) => g.div(d, g.plus(g.mul(x, x), 1)));

/** y = sinh x;  dx = dy·cosh x, in exponentials, which every provider has. */
export const sinh = unary(({ x, d, g }) =>
  g.mul(d, g.scale(g.add(g.exp(x), g.exp(g.neg(x))), 0.5)),
);

/** y = cosh x;  dx = dy·sinh x. */
export const cosh = unary(({ x, d, g }) =>
  g.mul(d, g.scale(g.sub(g.exp(x), g.exp(g.neg(x))), 0.5)),
);

/** y = arsinh x;  dx = dy / √(x² + 1). */
export const asinh = unary(({ x, d, g }) => g.div(d, g.sqrt(g.plus(g.mul(x, x), 1))));

/** y = arcosh x;  dx = dy / √(x² − 1). */
export const acosh = unary(({ x, d, g }) => g.div(d, g.sqrt(g.plus(g.mul(x, x), -1))));

/** y = artanh x;  dx = dy / (1 − x²). */
export const atanh = unary(({ x, d, g }) => g.div(d, g.sub(g.scalar(1, x), g.mul(x, x))));
