import type { Histogram } from '../histogram.ts';
import type { Calibrator, Range } from './calibrator.ts';

/** Share of values inside the range, in percent, where the option does not say. */
export const DEFAULT_PERCENTILE = 99.999;

/**
 * [Q(1 − p/100), Q(p/100)], Q the quantile over all values seen, linear inside a bin.
 */
export function percentileRange(histogram: Histogram, percent: number): Range {
  return { min: quantile(histogram, 1 - percent / 100), max: quantile(histogram, percent / 100) };
}

export const percentile: Calibrator = (histogram) => percentileRange(histogram, DEFAULT_PERCENTILE);

function quantile(histogram: Histogram, share: number): number {
  const { counts, count, binWidth, min, max } = histogram;
  const rank = share * (count - 1);
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    const here = counts[i]!;
    if (here > 0 && below + here > rank) {
      const left = (i - counts.length / 2) * binWidth;
      const inside = left + ((rank - below + 0.5) / here) * binWidth;
      return Math.min(max, Math.max(min, inside));
    }
    below += here;
  }
  return max;
}
