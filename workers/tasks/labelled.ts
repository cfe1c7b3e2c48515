/** @file Whether images say what is on them, in the form that a task is judged and trained by. */

import type { Sample } from '../data/dataset.ts';
import type { TaskBinding } from './task.ts';

/** Every sample has boxes, or every one a class, as the task asks. The generic task has no labels. */
export function isLabelled(task: TaskBinding['task'], samples: readonly Sample[]): boolean {
  if (task === 'detect') return samples.every((s) => s.boxes !== undefined);
  return task === 'classify' && samples.every((s) => s.label !== undefined);
}
