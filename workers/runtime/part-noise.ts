/** @file Signal to noise of outputs, part by part, over many runs. */

import { type Cuts, partition } from './parts.ts';
import type { HostTensor } from './session.ts';

/** dB at which a part counts as free of noise: exact outputs must not outweigh all others. */
const CLEAN = 100;

/** Sums of Σ a² and Σ (a − b)² of every part of one output. */
export class PartNoise {
  readonly #cuts: Cuts;
  #signal = new Float64Array(0);
  #noise = new Float64Array(0);

  constructor(cuts: Cuts) {
    this.#cuts = cuts;
  }

  /** @param a the reference @param b of the same shape: other shapes are passed over */
  add(a: HostTensor, b: HostTensor): void {
    if (`${a.dims}` !== `${b.dims}`) return;
    const { partAt, count } = partition(a.dims, this.#cuts);
    if (this.#signal.length !== count) {
      this.#signal = new Float64Array(count);
      this.#noise = new Float64Array(count);
    }
    for (let i = 0; i < a.data.length; i++) {
      const x = Number(a.data[i]);
      const e = x - Number(b.data[i]);
      const p = partAt(i);
      this.#signal[p]! += x * x;
      this.#noise[p]! += e * e;
    }
  }

  /** 10·log₁₀(Σ a² / Σ (a − b)²) of every part that holds anything, at most 100 dB. */
  db(): number[] {
    return [...this.#signal].flatMap((signal, p) => {
      if (signal === 0) return [];
      const noise = this.#noise[p]!;
      return noise === 0 ? CLEAN : Math.min(CLEAN, 10 * Math.log10(signal / noise));
    });
  }
}
