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
  const sums = new Sums(bins);
  const curve = new Float64Array(bins.length - levels + 1);
  let best = bins.length;
  for (let i = bins.length; i >= levels; i--) {
    curve[i - levels] = divergence(bins, sums, i, levels);
    if (curve[i - levels]! < curve[best - levels]!) best = i;
  }
  return { threshold: (best * absMax) / bins.length, best, curve };
}

/** Of the bins before each: their mass, how many hold anything, Σ p ln p. */
class Sums {
  readonly mass: Float64Array;
  readonly holders: Int32Array;
  readonly plnp: Float64Array;

  constructor(bins: Float64Array) {
    this.mass = new Float64Array(bins.length + 1);
    this.holders = new Int32Array(bins.length + 1);
    this.plnp = new Float64Array(bins.length + 1);
    for (const [k, p] of bins.entries()) {
      this.mass[k + 1] = this.mass[k]! + p;
      this.holders[k + 1] = this.holders[k]! + (p > 0 ? 1 : 0);
      this.plnp[k + 1] = this.plnp[k]! + xlnx(p);
    }
  }
}

const xlnx = (x: number) => (x > 0 ? x * Math.log(x) : 0);

/**
 * D(i) in as many steps as there are levels: within a run Q is the same wherever P > 0, so that
 *
 *     Σ P ln(P / Q) = Σ P ln P − Σ over runs of (mass of P in it)·ln Q
 */
function divergence(bins: Float64Array, { mass, holders, plnp }: Sums, i: number, levels: number) {
  const [sumP, sumQ] = [mass[bins.length]!, mass[i]!];
  if (sumP === 0 || sumQ === 0) return sumP === sumQ ? 0 : Number.POSITIVE_INFINITY;
  const beyond = sumP - sumQ;
  const last = bins[i - 1]!;
  // The last bin holds what lies beyond as well, and something even where it was empty.
  let lnQ = 0;
  for (let j = 0; j < levels; j++) {
    const [from, to] = [Math.floor((j * i) / levels), Math.floor(((j + 1) * i) / levels)];
    const more = j === levels - 1 ? beyond : 0;
    const run = mass[to]! - mass[from]!;
    const held = holders[to]! - holders[from]! + (more > 0 && last === 0 ? 1 : 0);
    if (run + more > 0) lnQ += (run + more) * Math.log(Math.max(run / held / sumQ, FLOOR));
  }
  const lnP = plnp[i - 1]! + xlnx(last + beyond) - sumP * Math.log(sumP);
  return (lnP - lnQ) / sumP;
}

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
