import type { Histogram } from '../histogram.ts';
import type { Calibrator, Range } from './calibrator.ts';

/** Share of values inside the range, in percent, where the option does not say. */
export const DEFAULT_PERCENTILE = 99.999;

/**
 * [Q(1 − p/100), Q(p/100)], Q the quantile over all values seen.
 */
export function percentileRange(histogram: Histogram, percent: number): Range {
  return { min: quantile(histogram, 1 - percent / 100), max: quantile(histogram, percent / 100) };
}

export const percentile: Calibrator = (histogram) => percentileRange(histogram, DEFAULT_PERCENTILE);

/** Linear between the two values in sorted order that the rank falls between: they may lie far apart in a thin tail. */
function quantile(histogram: Histogram, share: number): number {
  const rank = share * (histogram.count - 1);
  const lower = Math.floor(rank);
  const from = inOrder(histogram, lower);
  return rank === lower ? from : from + (rank - lower) * (inOrder(histogram, lower + 1) - from);
}

/** The k-th smallest value, to a bin's width; the first and the last exactly. */
function inOrder(histogram: Histogram, k: number): number {
  const { counts, count, binWidth, min, max } = histogram;
  if (k <= 0) return min;
  if (k >= count - 1) return max;
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    const here = counts[i]!;
    if (below + here > k) {
      const left = (i - counts.length / 2) * binWidth;
      return Math.min(max, Math.max(min, left + ((k - below + 0.5) / here) * binWidth));
    }
    below += here;
  }
  return max;
}
