/** @file Agreement of two models on the same images. */

import type { Evaluation, TaskBinding } from '../tasks/task.ts';
import { METRICS } from './metrics/registry.ts';

/**
 * How far the candidate says what the reference says, 0…1. detect: mAP50-95 with the reference's detections above
 * score 0.25 as ground truth; classify: the share of images with equal top-1; generic: the mean over outputs and
 * images of max(0, 1 − ‖y − y₀‖ / ‖y₀‖).
 *
 * @param reference, candidate evaluations of the same samples in the same order
 */
export function agreement(
  reference: Evaluation,
  candidate: Evaluation,
  binding: TaskBinding,
): number {
  return METRICS[binding.task].agreement(reference.predictions, candidate.predictions);
}
