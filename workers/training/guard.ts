/** @file What happens when numbers run away: back to the last state that was seen to work, at half the rate. */

import type { Snapshot, StepResult, Trainer } from './trainer.ts';

/** A loss this many times what was usual is no longer training. */
const RUNAWAY = 100;
/** After this many steps back the run ends with what it has. */
const MOST_ROLLBACKS = 60;
/** Weight of the newest loss in what is usual. */
const NEWEST = 0.05;

export class Guard {
  /** Factor of the learning rate. */
  scale = 1;
  rollbacks = 0;
  /** The newest state whose weights gave a sane loss. */
  #sane: Snapshot;
  #usual: number | undefined;
  readonly #trainer: Trainer;
  readonly #warn: (message: string) => void;

  constructor(trainer: Trainer, warn: (message: string) => void) {
    this.#trainer = trainer;
    this.#warn = warn;
    this.#sane = trainer.snapshot();
  }

  get exhausted(): boolean {
    return this.rollbacks >= MOST_ROLLBACKS;
  }

  /**
   * @param before the state that the step started from
   * @returns whether the step counts
   */
  accept(before: Snapshot, { loss, adopted }: StepResult): boolean {
    const limit = RUNAWAY * Math.max(this.#usual ?? loss, 1);
    if (adopted && loss <= limit) {
      this.#sane = before;
      this.#usual = this.#usual === undefined ? loss : this.#usual + NEWEST * (loss - this.#usual);
      return true;
    }
    this.#trainer.restore(this.#sane);
    this.rollbacks++;
    this.scale /= 2;
    const what = adopted ? `the loss rose to ${loss.toPrecision(3)}` : 'a number was not finite';
    if (this.rollbacks <= 3 || this.exhausted)
      this.#warn(
        `Step ${before.step + 1}: ${what}. Back to the weights of step ${this.#sane.step}, learning rate halved (× ${this.scale.toPrecision(2)} of what was asked).`,
      );
    return false;
  }
}
