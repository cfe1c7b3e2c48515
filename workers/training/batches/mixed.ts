/** @file Two streams as one: labelled batches, and among them batches of images without labels, evenly. */

import type { TrainBatch } from './messages.ts';
import type { BatchStream } from './open.ts';

/** A batch and whether it has labels. */
export interface MixedBatch extends TrainBatch {
  readonly labelled: boolean;
}

/**
 * How many of the first `steps` batches are unlabelled, where these are `share` of all: batch s is one of them where
 * the count rises from s to s + 1. Depends on nothing else, so that a run resumes in the middle.
 */
export const unlabelledAmong = (steps: number, share: number): number => Math.floor(steps * share);

export class MixedStream {
  readonly stepsPerEpoch: number;
  readonly #labelled: BatchStream;
  readonly #unlabelled: BatchStream | undefined;
  readonly #share: number;
  #step: number;

  /** @param share of batches that come from `unlabelled`, 0…1 @param start first batch */
  constructor(
    labelled: BatchStream,
    unlabelled: BatchStream | undefined,
    share: number,
    start: number,
  ) {
    this.#labelled = labelled;
    this.#unlabelled = unlabelled;
    this.#share = share;
    this.#step = start;
    this.stepsPerEpoch = labelled.stepsPerEpoch + (unlabelled?.stepsPerEpoch ?? 0);
  }

  async next(): Promise<MixedBatch> {
    const step = this.#step++;
    const rises = unlabelledAmong(step + 1, this.#share) > unlabelledAmong(step, this.#share);
    if (this.#unlabelled === undefined || !rises)
      return { ...(await this.#labelled.next()), labelled: true };
    return { ...(await this.#unlabelled.next()), labelled: false };
  }

  get waitedSeconds(): number {
    return this.#labelled.waitedSeconds + (this.#unlabelled?.waitedSeconds ?? 0);
  }

  async close(): Promise<void> {
    await Promise.all([this.#labelled.close(), this.#unlabelled?.close()]);
  }
}
