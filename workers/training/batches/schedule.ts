/** @file Which images a step shows: decided by the seed and the step's number alone. */

import { shuffled } from '../../data/splits.ts';
import { type Random, random } from '../../runtime/random.ts';

export interface ScheduleOptions {
  /** Images there are, and images of one batch. */
  readonly images: number;
  readonly batch: number;
  readonly seed: number;
}

/** Later images of the same order that a mosaic draws its others from: near ones are still decoded. */
const WINDOW = 64;

/** Streams of random numbers that must not meet. */
const ORDER = 1;
const PICTURE = 2;

/**
 * Every epoch shows every image once, in an order of its own. Its last batch is filled from the start of the next
 * epoch's order; where a batch is larger than the set, orders repeat.
 */
export class Schedule {
  readonly stepsPerEpoch: number;
  readonly #options: ScheduleOptions;
  readonly #orders = new Map<number, readonly number[]>();

  constructor(options: ScheduleOptions) {
    this.#options = options;
    this.stepsPerEpoch = Math.ceil(options.images / options.batch);
  }

  /** The image at one place of a step's batch, and `others` more from those that come soon after it. */
  pick(step: number, place: number, others: number, rng: Random): number[] {
    const { images, batch } = this.#options;
    const epoch = Math.floor(step / this.stepsPerEpoch);
    const at = (step % this.stepsPerEpoch) * batch + place;
    const order = this.#order(epoch + Math.floor(at / images));
    const ahead = Math.min(WINDOW, images - 1);
    const offsets = Array.from({ length: others }, () => (ahead === 0 ? 0 : 1 + rng.below(ahead)));
    return [0, ...offsets].map((offset) => order[((at % images) + offset) % images]!);
  }

  /** Random numbers of one picture. */
  rng(step: number, place: number): Random {
    return random(mixed(this.#options.seed, PICTURE, step, place));
  }

  #order(epoch: number): readonly number[] {
    const known = this.#orders.get(epoch);
    if (known !== undefined) return known;
    const { images, seed } = this.#options;
    for (const old of this.#orders.keys()) if (Math.abs(old - epoch) > 2) this.#orders.delete(old);
    const order = shuffled(images, mixed(seed, ORDER, epoch, 0));
    this.#orders.set(epoch, order);
    return order;
  }
}

/** Four numbers to one of 32 bits, each bit of which depends on all (MurmurHash3's mixing and finish). */
function mixed(...words: readonly number[]): number {
  let h = 0;
  for (const word of words) {
    const k = Math.imul(word, 0xcc9e2d51);
    h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
