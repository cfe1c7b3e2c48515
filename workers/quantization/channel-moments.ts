/** @file How strongly each channel of a tensor varies, over calibration images. */

import { stepFor } from './histogram.ts';

/** Values looked at per tensor and image. */
const SAMPLE = 1 << 14;

/** Running mean and variance of every channel (axis 1) of f(x), f the tensor's activation. Memory: three numbers a channel. */
export class ChannelMoments {
  readonly #apply: ((x: number) => number) | undefined;
  #sum = new Float64Array(0);
  #squares = new Float64Array(0);
  #count = 0;

  constructor(apply: ((x: number) => number) | undefined) {
    this.#apply = apply;
  }

  /** @param dims (N, C, …); tensors of lower rank have no channels and are passed over */
  add(values: Float32Array, dims: readonly number[]): void {
    const [batch, channels] = dims;
    if (dims.length < 3 || !batch || !channels || values.length === 0) return;
    if (this.#sum.length === 0) {
      this.#sum = new Float64Array(channels);
      this.#squares = new Float64Array(channels);
    }
    if (this.#sum.length !== channels) return;
    const inner = values.length / (batch * channels);
    const step = stepFor(values.length, SAMPLE);
    for (let c = 0; c < channels; c++) this.#addChannel(values, c, inner, step);
    this.#count += Math.ceil((inner - Math.min(inner - 1, step >> 1)) / step);
  }

  /** One channel of the first image of the batch. */
  #addChannel(values: Float32Array, c: number, inner: number, step: number): void {
    const f = this.#apply;
    let sum = 0;
    let squares = 0;
    for (let i = c * inner + Math.min(inner - 1, step >> 1); i < (c + 1) * inner; i += step) {
      const y = f ? f(values[i]!) : values[i]!;
      sum += y;
      squares += y * y;
    }
    this.#sum[c]! += sum;
    this.#squares[c]! += squares;
  }

  /** One number a channel; empty where the tensor has none. */
  means(): Float64Array {
    return this.#sum.map((sum) => sum / this.#count);
  }

  /** As `means`. */
  variances(): Float64Array {
    return this.#sum.map((sum, c) => {
      const mean = sum / this.#count;
      return Math.max(0, this.#squares[c]! / this.#count - mean * mean);
    });
  }
}
