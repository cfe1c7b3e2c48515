/** @file Training data of a model: samples to a stream of batches. */

import { ServiceError } from '../../../src/contract/errors.ts';
import type { AugmentOptions } from '../../data/augment/options.ts';
import type { Sample } from '../../data/dataset.ts';
import type { TaskBinding } from '../../tasks/task.ts';
import type { BatchPlan, TrainBatch } from './messages.ts';
import { ThreadedStream } from './stream.ts';

export type { TrainBatch } from './messages.ts';

/** Decoded images that all threads together keep. */
const CACHE_BYTES = 256 * 2 ** 20;

export interface BatchOptions {
  readonly samples: readonly Sample[];
  /** Its preprocess and input decide the form of the images. */
  readonly binding: TaskBinding;
  readonly batch: number;
  readonly seed: number;
  /** false: images as inference sees them. */
  readonly augment: AugmentOptions | false;
  /** Steps of the whole run: `closeMosaic` is a share of these. */
  readonly totalSteps: number;
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
  const plan = planOf(options, threads);
  const stepsPerEpoch = Math.ceil(plan.samples.length / plan.batch);
  return Object.assign(new ThreadedStream(plan, { threads, ahead, start, signal }), {
    stepsPerEpoch,
  });
}

function planOf(options: BatchOptions, threads: number): BatchPlan {
  const { samples, binding, batch, seed, augment, totalSteps } = options;
  const { task, input, preprocess } = binding;
  if (samples.length === 0)
    throw new ServiceError('SPLIT_MISSING', { split: 'train', what: 'Training', has: 'none' });
  if (input === undefined)
    throw new ServiceError('TASK_DOES_NOT_FIT', {
      task,
      why: `it cannot be trained on images (${binding.description})`,
    });
  const { size, channels, layout } = input;
  const plan = { samples, task, preprocess, batch, seed, augment, totalSteps };
  return {
    ...plan,
    ...labelsOf(binding, samples),
    input: { size, channels, layout },
    cacheBytes: CACHE_BYTES / threads,
  };
}

function labelsOf(
  { task, classes }: TaskBinding,
  samples: readonly Sample[],
): Pick<BatchPlan, 'labels' | 'classes'> {
  const count = classes?.length ?? 0;
  const kind = kindOf(task, samples);
  const used = samples.flatMap(({ boxes = [], label = -1 }) =>
    kind === 'boxes' ? boxes.map(([cls]) => cls) : kind === 'classes' ? [label] : [],
  );
  const largest = used.reduce((a, b) => Math.max(a, b), -1);
  if (largest >= count)
    throw new ServiceError('CLASSES_DIFFER', { model: count, dataset: largest + 1 });
  return { labels: kind, classes: count };
}

/** What every sample has and the task can use. */
function kindOf(task: TaskBinding['task'], samples: readonly Sample[]): BatchPlan['labels'] {
  if (task === 'detect' && samples.every((s) => s.boxes !== undefined)) return 'boxes';
  if (task === 'classify' && samples.every((s) => s.label !== undefined)) return 'classes';
  return 'none';
}
