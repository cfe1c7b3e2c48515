import { FORMATS } from '../formats.ts';
import type { Histogram } from '../histogram.ts';
import type { Calibrator } from './calibrator.ts';

const BINS = 2048;
const FLOOR = 1e-10;

/**
 * The threshold at which the clipped and coarsened distribution of |x| tells least apart from the clipped one:
 *
 *     D(i) = Σ P ln(P / Q),  i = levels … 2048 bins of |x| > 0 over [0, max|x|]
 *
 * P: the first i bins, all beyond added to the last. Q: the first i bins merged into `levels` runs, each run's mass spread
 * over its bins where P > 0. Source: Migacz, 8-bit Inference with TensorRT, GTC 2017.
 *
 * @returns threshold in the unit of x, and D at each i from `levels` on
 */
export function entropyThreshold(
  bins: Float64Array,
  absMax: number,
  levels: number,
): { threshold: number; best: number; curve: Float64Array } {
  const curve = new Float64Array(bins.length - levels + 1);
  let best = bins.length;
  for (let i = bins.length; i >= levels; i--) {
    curve[i - levels] = divergence(bins, i, levels);
    if (curve[i - levels]! < curve[best - levels]!) best = i;
  }
  return { threshold: (best * absMax) / bins.length, best, curve };
}

function divergence(bins: Float64Array, i: number, levels: number): number {
  const p = bins.slice(0, i);
  for (let k = i; k < bins.length; k++) p[i - 1]! += bins[k]!;
  const q = new Float64Array(i);
  for (let j = 0; j < levels; j++) {
    const [from, to] = [Math.floor((j * i) / levels), Math.floor(((j + 1) * i) / levels)];
    let mass = 0;
    let holders = 0;
    for (let k = from; k < to; k++) {
      mass += bins[k]!;
      if (p[k]! > 0) holders++;
    }
    for (let k = from; k < to; k++) if (p[k]! > 0) q[k] = mass / holders;
  }
  const [sumP, sumQ] = [total(p), total(q)];
  if (sumP === 0 || sumQ === 0) return sumP === sumQ ? 0 : Number.POSITIVE_INFINITY;
  let d = 0;
  for (let k = 0; k < i; k++) {
    if (p[k]! > 0) d += (p[k]! / sumP) * Math.log(p[k]! / sumP / Math.max(q[k]! / sumQ, FLOOR));
  }
  return d;
}

const total = (values: Float64Array) => values.reduce((a, b) => a + b, 0);

export const entropy: Calibrator = (histogram, { format, symmetric }) => {
  const absMax = Math.max(-histogram.min, histogram.max);
  const oneSided = histogram.min >= 0 || histogram.max <= 0;
  const levels =
    !symmetric && oneSided ? Math.min(BINS, FORMATS[format].max - FORMATS[format].min + 1) : 128;
  const { threshold } = entropyThreshold(
    magnitudes(histogram, absMax),
    absMax,
    Math.min(levels, BINS),
  );
  return { min: Math.max(histogram.min, -threshold), max: Math.min(histogram.max, threshold) };
};

/**
 * The histogram of |x| > 0 over [0, absMax] in 2048 bins, from the finer one at hand. A fine bin that lies across an edge is
 * shared out by length: giving it to one side would make every few bins too heavy, a pattern that the search then finds.
 */
export function magnitudes(histogram: Histogram, absMax: number): Float64Array {
  const out = new Float64Array(BINS);
  if (absMax === 0) return out;
  const half = histogram.counts.length / 2;
  const width = (histogram.binWidth / absMax) * BINS;
  for (let k = 0; k < half; k++) {
    const zeros = k === 0 ? histogram.zeros : 0;
    const here = histogram.counts[half + k]! - zeros + histogram.counts[half - 1 - k]!;
    if (here > 0) shareOut(out, here, k * width, (k + 1) * width);
  }
  return out;
}

/** Add `mass`, spread evenly over [from, to] in units of bins; what lies beyond the last bin goes into it. */
function shareOut(bins: Float64Array, mass: number, from: number, to: number): void {
  const last = bins.length - 1;
  for (let i = Math.min(last, Math.floor(from)); i <= Math.min(last, Math.floor(to)); i++) {
    const upper = i === last ? to : Math.min(to, i + 1);
    bins[i]! += mass * Math.max(0, (upper - Math.max(from, i)) / (to - from));
  }
}
