/** @file Training data of a model: samples to a stream of batches. */

import type { TrainBatch } from './messages.ts';
import { type PlanOptions, planBatches } from './plan.ts';
import { ThreadedStream } from './stream.ts';

export type { TrainBatch } from './messages.ts';

export interface BatchOptions extends PlanOptions {
  /** Threads that prepare batches; 1. Their number changes no batch. */
  readonly threads?: number;
  /** Batches prepared before they are asked for; 4. */
  readonly ahead?: number;
  /** First step; 0. Batches are the same as of a run from 0. */
  readonly start?: number;
  readonly signal: AbortSignal;
}

export interface BatchStream {
  readonly stepsPerEpoch: number;
  next(): Promise<TrainBatch>;
  close(): Promise<void>;
  readonly waitedSeconds: number;
}

/**
 * @throws SPLIT_MISSING no samples · TASK_DOES_NOT_FIT the model takes no image · CLASSES_DIFFER a label is of a class
 *   that the model has not
 */
export async function openBatches(options: BatchOptions): Promise<BatchStream> {
  const { threads = 1, ahead = 4, start = 0, signal } = options;
  signal.throwIfAborted();
  const plan = planBatches(options, threads);
  const stepsPerEpoch = Math.ceil(plan.samples.length / plan.batch);
  return Object.assign(new ThreadedStream(plan, { threads, ahead, start, signal }), {
    stepsPerEpoch,
  });
}
