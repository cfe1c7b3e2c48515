/** @file Rounding as a function with a gradient: what quantization-aware training puts in a float graph's way. */

import { roundHalfEven } from '../onnx/round.ts';
import { FORMATS } from './formats.ts';
import { encode, type Quantizer } from './scale.ts';

/**
 * Gradient of y = dequantize(quantize(x)), straight through: rounding counts as identity, saturation as constant.
 *
 *     dx = dy where round(x / s) + z lies in [qmin, qmax], else 0
 *
 * Source: Bengio et al., Estimating or Propagating Gradients Through Stochastic Neurons, 2013, https://arxiv.org/abs/1308.3432
 *
 * @param quantizerOf the quantizer of element i: one for all, or one per channel
 */
export function straightThrough(
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  quantizerOf: (i: number) => Quantizer,
): Float32Array {
  return Float32Array.from({ length: x.length }, (_, i) => {
    const { format, scale, zeroPoint } = quantizerOf(i);
    const { min, max } = FORMATS[format];
    const code = roundHalfEven(Math.fround(x[i]! / scale)) + zeroPoint;
    return code < min || code > max ? 0 : dy[i]!;
  });
}

/** Codes of many numbers. */
export const codesOf = (
  x: ArrayLike<number>,
  quantizerOf: (i: number) => Quantizer,
): Float64Array => Float64Array.from({ length: x.length }, (_, i) => encode(x[i]!, quantizerOf(i)));

export interface LearnedStep {
  readonly qn: number;
  readonly qp: number;
  /** Scale of element i: an index into `scales`. */
  readonly channelOf: (i: number) => number;
  readonly scales: ArrayLike<number>;
}

/** y = round(clip(x / s, qn, qp)) · s. */
export function learnedStep(x: ArrayLike<number>, step: LearnedStep): Float32Array {
  return Float32Array.from({ length: x.length }, (_, i) => {
    const s = step.scales[step.channelOf(i)]!;
    return roundHalfEven(Math.min(step.qp, Math.max(step.qn, x[i]! / s))) * s;
  });
}

/**
 * Gradients of `learnedStep`, v = x / s, N elements to a scale:
 *
 *     dx = dy where qn < v < qp, else 0
 *     ds = 1/√(N·qp) · Σ dy · (round(v) − v inside, qn below, qp above)
 *
 * Source: Esser et al., Learned Step Size Quantization, ICLR 2020, https://arxiv.org/abs/1902.08153
 */
export function learnedStepGradients(
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  { qn, qp, channelOf, scales }: LearnedStep,
): { readonly dx: Float32Array; readonly ds: Float64Array } {
  const dx = new Float32Array(x.length);
  const ds = new Float64Array(scales.length);
  for (let i = 0; i < x.length; i++) {
    const c = channelOf(i);
    const v = x[i]! / scales[c]!;
    if (v <= qn) ds[c]! += dy[i]! * qn;
    else if (v >= qp) ds[c]! += dy[i]! * qp;
    else {
      dx[i] = dy[i]!;
      ds[c]! += dy[i]! * (roundHalfEven(v) - v);
    }
  }
  const gradientScale = 1 / Math.sqrt((x.length / scales.length) * qp);
  return { dx, ds: ds.map((d) => d * gradientScale) };
}
