/** @file Mean errors of a tensor's channels, weighed by how much the activation behind it lets through. */

import { stepFor } from './histogram.ts';

/** Values looked at per tensor and image. */
const SAMPLE = 1 << 15;

/** For f′ from (f(x + h) − f(x − h)) / 2h. */
const H = 1e-3;

/** Σ w and Σ w·e of every channel: of images to learn from, and of some to check by. */
interface Sums {
  weight: Float64Array;
  error: Float64Array;
}

const none = (): Sums => ({ weight: new Float64Array(0), error: new Float64Array(0) });

/** Memory: four numbers a channel. */
export class ChannelErrors {
  readonly #apply: ((x: number) => number) | undefined;
  readonly #axis: 'second' | 'last';
  readonly #learned = none();
  readonly #checked = none();

  /** @param apply the activation f; undefined: the identity @param axis where channels lie: (N, C, …) or (…, C) */
  constructor(apply: ((x: number) => number) | undefined, axis: 'second' | 'last') {
    this.#apply = apply;
    this.#axis = axis;
  }

  /** @param learn whether the image is one to learn from @param y what is right @param rounded of the same shape */
  add(learn: boolean, y: Float32Array, rounded: Float32Array, dims: readonly number[]): void {
    const last = dims.length - 1;
    const axis = this.#axis === 'last' ? last : 1;
    const channels = dims[axis];
    if (!channels || y.length === 0 || y.length !== rounded.length) return;
    const sums = learn ? this.#learned : this.#checked;
    if (sums.weight.length !== channels) {
      sums.weight = new Float64Array(channels);
      sums.error = new Float64Array(channels);
    }
    const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
    const step = stepFor(y.length, SAMPLE);
    for (let i = 0; i < y.length; i += step) {
      const c = Math.floor(i / inner) % channels;
      const w = this.#weight(y[i]!);
      sums.weight[c]! += w;
      sums.error[c]! += w * (y[i]! - rounded[i]!);
    }
  }

  /** f′(x)². */
  #weight(x: number): number {
    if (!this.#apply) return 1;
    const slope = (this.#apply(x + H) - this.#apply(x - H)) / (2 * H);
    return slope * slope;
  }

  /**
   * What is to be added to each channel: δ = Σ w·e / Σ w, and 0 where that would not lower Σ w·(e − δ)² on the images to
   * check by (where there are any).
   *
   * @param channels how many there should be; zeros where the tensor has another number
   */
  shift(channels: number): Float64Array {
    const { weight, error } = this.#learned;
    if (weight.length !== channels) return new Float64Array(channels);
    const checks = this.#checked.weight.length === channels;
    return error.map((e, c) => {
      const delta = weight[c]! > 0 ? e / weight[c]! : 0;
      if (!checks) return delta;
      const change = delta * delta * this.#checked.weight[c]! - 2 * delta * this.#checked.error[c]!;
      return change < 0 ? delta : 0;
    });
  }
}
