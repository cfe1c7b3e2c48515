/** @file How far a run is: by its steps, or by the clock. */

import type { Length } from './settings.ts';

/** Share by which the expected number of steps may be wrong before the run is planned anew. */
const REPLAN = 0.1;

export class Pace {
  readonly #length: Length;
  /** Steps that the run is expected to come to. */
  #total: number;
  readonly #earlier: number;
  readonly #started = performance.now();

  /** @param total steps, exact unless minutes are given @param earlier seconds that an attempt before has trained */
  constructor(length: Length, total: number, earlier = 0) {
    this.#length = length;
    this.#total = total;
    this.#earlier = earlier;
  }

  get total(): number {
    return this.#total;
  }

  /** Seconds of training so far. */
  get seconds(): number {
    return this.#earlier + (performance.now() - this.#started) / 1000;
  }

  /** Share of the run, 0…1, that is done after `steps`: of its minutes, where it has any, else of its steps. */
  done(steps: number): number {
    const length = this.#length;
    return Math.min(
      1,
      'minutes' in length ? this.seconds / (60 * length.minutes) : steps / this.#total,
    );
  }

  /** @returns whether the run will come to clearly more, or fewer, steps than was thought: `total` is that now */
  replanned(steps: number): boolean {
    if (!('minutes' in this.#length)) return false;
    const found = Math.max(1, Math.round(steps / this.done(steps)));
    if (Math.abs(found / this.#total - 1) <= REPLAN) return false;
    this.#total = found;
    return true;
  }
}
