/** @file Scales and zero points, and rounding to them: y = (q − z)·s, q = saturate(round(x / s) + z). */

import { roundHalfEven } from '../onnx/round.ts';
import { FORMATS, type Format } from './formats.ts';

export interface Quantizer {
  readonly format: Format;
  /** A float32 number. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Least scale that float32 holds at full precision: below it, a tensor is as good as constant. */
const SMALLEST_SCALE = 2 ** -126;

const clamp = (x: number, lo: number, hi: number) => Math.min(hi, Math.max(lo, x));

/**
 * Asymmetric: the range, widened to contain 0, meets the format's whole range.
 *
 *     s = (max − min) / (qmax − qmin)      z = round(qmin − min / s), so that 0 is exact
 *
 * s is computed in double and stored as float32. Source: Jacob et al., CVPR 2018, https://arxiv.org/abs/1712.05877
 */
export function asymmetric(min: number, max: number, format: Format): Quantizer {
  const { min: qmin, max: qmax } = FORMATS[format];
  const [lo, hi] = [Math.min(min, 0), Math.max(max, 0)];
  const exact = (hi - lo) / (qmax - qmin);
  if (!(exact >= SMALLEST_SCALE)) return { format, scale: 1, zeroPoint: 0 };
  const scale = Math.fround(exact);
  return { format, scale, zeroPoint: clamp(roundHalfEven(qmin - lo / exact), qmin, qmax) };
}

/** Symmetric: s = max|x| / qmax, z = 0 (the middle, for unsigned formats). */
export function symmetric(absMax: number, format: Format): Quantizer {
  const { min, max } = FORMATS[format];
  const zeroPoint = min < 0 ? 0 : (max + 1) / 2;
  const exact = absMax / (min < 0 ? max : max - zeroPoint);
  return { format, scale: exact >= SMALLEST_SCALE ? Math.fround(exact) : 1, zeroPoint };
}

/** The code of one number; the quotient is that of float32, as runtimes compute it. */
export function encode(x: number, { format, scale, zeroPoint }: Quantizer): number {
  const { min, max } = FORMATS[format];
  return clamp(roundHalfEven(Math.fround(x / scale)) + zeroPoint, min, max);
}

export const decode = (q: number, { scale, zeroPoint }: Quantizer): number =>
  Math.fround((q - zeroPoint) * scale);

/** What is left of a number after quantization. */
export const fakeQuantize = (x: number, quantizer: Quantizer): number =>
  decode(encode(x, quantizer), quantizer);
