/** @file What decides the content of every batch of a run: samples, task, labels, seed, form of the images. */

import { ServiceError } from '../../../src/contract/errors.ts';
import type { AugmentOptions } from '../../data/augment/options.ts';
import type { Sample } from '../../data/dataset.ts';
import { isLabelled } from '../../tasks/labelled.ts';
import type { TaskBinding } from '../../tasks/task.ts';
import type { BatchPlan } from './messages.ts';

export interface PlanOptions {
  readonly samples: readonly Sample[];
  /** Its preprocess and input decide the form of the images. */
  readonly binding: TaskBinding;
  readonly batch: number;
  readonly seed: number;
  /** false: images as inference sees them. */
  readonly augment: AugmentOptions | false;
  /** Steps of the whole run: `closeMosaic` is a share of these. */
  readonly totalSteps: number;
}

/** Decoded images that all threads together keep. */
const CACHE_BYTES = 256 * 2 ** 20;

/** @throws SPLIT_MISSING · TASK_DOES_NOT_FIT · CLASSES_DIFFER */
export function planBatches(options: PlanOptions, threads: number): BatchPlan {
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
  if (!isLabelled(task, samples)) return 'none';
  return task === 'detect' ? 'boxes' : 'classes';
}
