/** @file What is remembered of a tensor's values over all calibration images: a fixed number of bins, however many images. */

/** Bins on each side of zero. Half of them are in use at least: 1/4096 of the largest magnitude is told apart. */
const HALF = 8192;

/** Tensors after which averages of extremes begin to forget. */
const AVERAGED = 100;

/**
 * Counts of values over [−reach, reach]. When a value falls outside, reach doubles and bins join in pairs, so
 * memory stays at 2·8192 counts and no value is seen twice. Minimum, maximum, sum and zeros are exact.
 */
export class Histogram {
  readonly counts = new Float64Array(2 * HALF);
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** Means over the tensors seen of their extremes; over many, means that forget: m ← m + (x − m) / 100. */
  averageMin = 0;
  averageMax = 0;
  #tensors = 0;
  /** Values counted in bins (a sample of those seen, for large tensors). */
  count = 0;
  zeros = 0;
  /** False once a NaN or an infinity was seen. */
  finite = true;
  #reach = 0;

  get binWidth(): number {
    return this.#reach / HALF;
  }

  /** Middle of bin i. */
  centre(i: number): number {
    return (i - HALF + 0.5) * this.binWidth;
  }

  /**
   * See the values of one tensor. Extremes are taken of all of them; bins count at most about `sample`, evenly spread.
   *
   * @returns max − min of this tensor
   */
  add(values: Float32Array, sample = Number.POSITIVE_INFINITY): number {
    if (values.length === 0) return 0;
    const [lo, hi] = extremesOf(values);
    return this.see(lo, hi, values, stepFor(values.length, sample));
  }

  /**
   * The same of a tensor whose extremes are known.
   *
   * @param lo least value; it or `hi` NaN or infinite: the tensor holds such a value @param hi largest value
   * @param values of which every `step`-th is counted
   */
  see(lo: number, hi: number, values: Float32Array, step = 1): number {
    if (!Number.isFinite(lo) || !Number.isFinite(hi)) {
      this.finite = false;
      return 0;
    }
    this.min = Math.min(this.min, lo);
    this.max = Math.max(this.max, hi);
    const share = 1 / Math.min(++this.#tensors, AVERAGED);
    this.averageMin += share * (lo - this.averageMin);
    this.averageMax += share * (hi - this.averageMax);
    this.#widen(Math.max(-lo, hi));
    this.#fill(values, step);
    return hi - lo;
  }

  #widen(absMax: number): void {
    if (absMax === 0) return;
    if (this.#reach === 0) this.#reach = absMax;
    while (absMax > this.#reach) {
      const { counts } = this;
      const joined = new Float64Array(counts.length);
      for (let i = 0; i < counts.length; i++) joined[HALF / 2 + (i >> 1)]! += counts[i]!;
      counts.set(joined);
      this.#reach *= 2;
    }
  }

  #fill(values: Float32Array, step: number): void {
    const { counts } = this;
    const perUnit = this.#reach === 0 ? 0 : HALF / this.#reach;
    let zeros = 0;
    let n = 0;
    for (let i = 0; i < values.length; i += step) {
      const v = values[i]!;
      n++;
      if (v === 0) zeros++;
      let bin = Math.floor(v * perUnit) + HALF;
      if (bin >= 2 * HALF) bin = 2 * HALF - 1;
      counts[bin]!++;
    }
    this.zeros += zeros;
    this.count += n;
  }
}

/**
 * Least and largest value; where NaN is among them, one of the two is NaN or infinite. Bits of float32 are compared as
 * whole numbers, k = b for b ≥ 0 and b ^ 0x7fffffff below, which are in the same order: half as long as comparing floats.
 */
function extremesOf(values: Float32Array): [number, number] {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  let lo = 0x7fffffff;
  let hi = -0x80000000;
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!;
    const k = b ^ ((b >> 31) & 0x7fffffff);
    if (k < lo) lo = k;
    if (k > hi) hi = k;
  }
  const [least, largest] = new Float32Array(Int32Array.of(unordered(lo), unordered(hi)).buffer);
  return [least!, largest!];
}

const unordered = (k: number): number => k ^ ((k >> 31) & 0x7fffffff);

/** A stride that is odd and no multiple of 5, 7 or 13, so that it does not fall in step with rows of an image. */
export function stepFor(length: number, sample: number): number {
  if (length <= sample) return 1;
  let step = Math.ceil(length / sample) | 1;
  while (step % 5 === 0 || step % 7 === 0 || step % 13 === 0) step += 2;
  return step;
}
