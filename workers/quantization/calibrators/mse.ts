import { FORMATS } from '../formats.ts';
import type { Histogram } from '../histogram.ts';
import { asymmetric, type Quantizer, symmetric } from '../scale.ts';
import type { Calibrator, CalibratorContext, Range } from './calibrator.ts';

/** Candidates: i/100 of the min–max range. */
const STEPS = 100;
/** Below this share of the range no candidate has ever won on an activation: not tried, to save time. */
const FIRST = 20;

/**
 * The clip range with the least mean |f(x) − f(x̂)|^power over the histogram, f the consumer's activation (identity where
 * there is none). Without an activation both ends shrink together; with one, each end has its own search, since an
 * activation such as SiLU flattens one end only. Ties go to the wider range.
 */
export function leastError(histogram: Histogram, context: CalibratorContext, power: number): Range {
  const bins = occupied(histogram, context.activation);
  const { min, max } = histogram;
  const error = (range: Range, limit: number) =>
    meanError(bins, quantizerFor(range, context), context.activation, power, limit);
  const share = (i: number, j: number): Range => ({
    min: (min * i) / STEPS,
    max: (max * j) / STEPS,
  });
  const all = share(STEPS, STEPS);
  let best = { range: all, error: error(all, Number.POSITIVE_INFINITY) };
  const tryRange = (range: Range) => {
    const e = error(range, best.error);
    if (e < best.error) best = { range, error: e };
  };
  for (let i = STEPS - 1; i >= 1; i--) tryRange(share(i, i));
  if (!context.activation || context.symmetric) return best.range;
  for (let low = STEPS; low >= 1; low -= 2)
    tryRange({ min: (min * low) / STEPS, max: best.range.max });
  for (let high = STEPS; high >= FIRST; high -= 1)
    tryRange({ min: best.range.min, max: (max * high) / STEPS });
  for (let low = STEPS; low >= 1; low -= 1)
    tryRange({ min: (min * low) / STEPS, max: best.range.max });
  return best.range;
}

export const mse: Calibrator = (histogram, context) => leastError(histogram, context, 2);

export function quantizerFor(range: Range, context: CalibratorContext): Quantizer {
  return context.symmetric
    ? symmetric(Math.max(-range.min, range.max), context.format)
    : asymmetric(range.min, range.max, context.format);
}

export interface Bins {
  readonly x: Float64Array;
  readonly fx: Float64Array;
  readonly weight: Float64Array;
}

/** The bins that hold anything, with what the activation makes of their middles; outer ones first: they show what is clipped. */
export function occupied(histogram: Histogram, activation: CalibratorContext['activation']): Bins {
  const index = outerFirst([...histogram.counts.keys()].filter((i) => histogram.counts[i]! > 0));
  const x = Float64Array.from(index, (i) =>
    Math.min(histogram.max, Math.max(histogram.min, histogram.centre(i))),
  );
  return {
    x,
    fx: activation ? x.map(activation) : x,
    weight: Float64Array.from(index, (i) => histogram.counts[i]! / histogram.count),
  };
}

/** First, last, second, last but one … */
const outerFirst = (items: readonly number[]): number[] =>
  items.map((_, i) => items[i % 2 === 0 ? i / 2 : items.length - (i + 1) / 2]!);

export const meanSquaredError = (
  bins: Bins,
  quantizer: Quantizer,
  activation: CalibratorContext['activation'],
): number => meanError(bins, quantizer, activation, 2, Number.POSITIVE_INFINITY);

/** Mean |f(x) − f(x̂)|^power; some number of at least `limit` where it is not below that. */
function meanError(
  { x, fx, weight }: Bins,
  { format, scale, zeroPoint }: Quantizer,
  activation: CalibratorContext['activation'],
  power: number,
  limit: number,
): number {
  const lo = FORMATS[format].min - zeroPoint;
  const hi = FORMATS[format].max - zeroPoint;
  const after = activation && new Float64Array(hi - lo + 1).fill(Number.NaN);
  let sum = 0;
  for (let i = 0; i < x.length && sum < limit; i++) {
    const q = Math.max(lo, Math.min(hi, Math.round(x[i]! / scale)));
    let y = q * scale;
    if (activation && after) {
      if (Number.isNaN(after[q - lo])) after[q - lo] = activation(y);
      y = after[q - lo]!;
    }
    const e = fx[i]! - y;
    sum += weight[i]! * (power === 2 ? e * e : Math.abs(e) ** power);
  }
  return sum;
}
