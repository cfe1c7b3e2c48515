/** @file Every task: one line each, tried in this order. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { TASK_NAMES } from '../../src/contract/job.ts';
import { floatFace } from '../onnx/float-face.ts';
import type { Model } from '../onnx/graph.ts';
import { classify } from './classify.ts';
import { detect } from './detect/detect.ts';
import { generic } from './generic.ts';
import type { BindOptions, Task, TaskBinding } from './task.ts';

export type TaskName = (typeof TASK_NAMES)[number];

export const TASKS: Readonly<Record<TaskName, Task>> = { detect, classify, generic };

/**
 * How a model's outputs are read: under `task` where one is named, else under the first task that fits.
 *
 * @throws TASK_DOES_NOT_FIT the named task does not fit the model, and why
 */
export function bindTask(
  model: Model,
  options: BindOptions & { readonly task?: TaskName | undefined } = {},
): TaskBinding {
  const { task, ...rest } = options;
  const misfits: string[] = [];
  const seen = floatFace(model);
  for (const name of task === undefined ? (Object.keys(TASKS) as TaskName[]) : [task]) {
    const found = TASKS[name].bind(seen, rest);
    if (!('misfit' in found)) return found;
    misfits.push(found.misfit);
  }
  throw new ServiceError('TASK_DOES_NOT_FIT', { task: task ?? 'generic', why: misfits.join('; ') });
}
