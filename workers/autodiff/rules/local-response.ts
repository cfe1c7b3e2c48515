/** @file Gradients of the older normalization layers: LRN, MeanVarianceNormalization. */

import { floatOf, intOf, intsOf } from '../../onnx/attributes.ts';
import { axisOf, shapeOf } from '../../onnx/static-shapes.ts';
import { applyAlong, transposed } from '../along.ts';
import type { GradientRule } from '../rule.ts';
import { standardized, throughStandardized } from './normalization.ts';

/**
 * y = x·s^−β, s = k + (α/n)·Σ x² over the n channels around each;
 *
 *     dx = dy·s^−β − (2αβ/n)·x·Σ dy·x·s^(−β−1) over the channels whose window holds this one.
 *
 * Source: https://onnx.ai/onnx/operators/onnx__LRN.html
 */
export const lrn: GradientRule = ({ node, x: [x], dy: [d], g }) => [
  () => {
    const channels = shapeOf(x)[1]!;
    const n = intOf(node, 'size', 1);
    const [alpha, beta] = [floatOf(node, 'alpha', 1e-4), floatOf(node, 'beta', 0.75)];
    const band = bandMatrix(channels, Math.floor((n - 1) / 2), Math.ceil((n - 1) / 2));
    const sums = applyAlong(g, g.mul(x, x), 1, band, channels);
    const s = g.plus(g.scale(sums, alpha / n), floatOf(node, 'bias', 1));
    const own = g.mul(d, g.pow(s, g.scalar(-beta, s)));
    const through = applyAlong(g, g.div(g.mul(own, x), s), 1, transposed(band, channels), channels);
    return g.sub(own, g.scale(g.mul(x, through), (2 * alpha * beta) / n));
  },
];

/** Row c is 1 from c − before to c + after. */
const bandMatrix = (size: number, before: number, after: number) =>
  Float64Array.from({ length: size * size }, (_, k) => {
    const offset = (k % size) - Math.floor(k / size);
    return offset >= -before && offset <= after ? 1 : 0;
  });

/** What the op adds to the standard deviation. */
const EPSILON = 1e-9;

/** y = (x − μ) / (σ + 10⁻⁹) over `axes` (all but channels). */
export const meanVariance: GradientRule = ({ node, x: [x], dy: [d], g }) => [
  () => {
    const rank = shapeOf(x).length;
    const axes = intsOf(node, 'axes', [0, 2, 3]).map((a) => axisOf(a, rank));
    const { hat, r } = standardized(g, x, axes, EPSILON ** 2);
    return throughStandardized(g, d, hat, r, axes);
  },
];
