/** @file Training losses, one line each. A task's default is the first that fits the model. */

import { ServiceError } from '../../../src/contract/errors.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { TaskBinding } from '../../tasks/task.ts';
import { binaryCrossEntropy, crossEntropy } from './classification.ts';
import type { BoundLoss, Loss, LossOptions } from './loss.ts';
import { agreement, huber, mse } from './regression.ts';
import { taskAligned } from './task-aligned/task-aligned.ts';

export const LOSSES = {
  'task-aligned': taskAligned,
  'cross-entropy': crossEntropy,
  bce: binaryCrossEntropy,
  mse,
  huber,
  agreement,
} as const satisfies Record<string, Loss>;

export type LossName = keyof typeof LOSSES;

/** Which losses `auto` tries, by task: labels first, then what images alone can teach. */
const BY_TASK: Readonly<Record<TaskBinding['task'], readonly LossName[]>> = {
  detect: ['task-aligned', 'agreement'],
  classify: ['cross-entropy', 'agreement'],
  generic: ['agreement'],
};

export interface ChosenLoss {
  readonly name: LossName;
  readonly loss: Loss;
  readonly bound: BoundLoss;
}

/**
 * @param name `auto`: the first of the task's losses that fits the model and whose labels there are
 * @throws LOSS_DOES_NOT_FIT
 */
export function chooseLoss(
  name: LossName | 'auto',
  graph: Graph,
  binding: TaskBinding,
  options: LossOptions & { readonly labelled: boolean },
): ChosenLoss {
  const reasons: string[] = [];
  for (const candidate of name === 'auto' ? BY_TASK[binding.task] : [name]) {
    const loss: Loss = LOSSES[candidate];
    const bound = loss.bind(graph, binding, options);
    if ('misfit' in bound) reasons.push(bound.misfit);
    else if (loss.labels !== 'tensors' && !options.labelled)
      reasons.push('the train split has no labels');
    else return { name: candidate, loss, bound };
  }
  throw new ServiceError('LOSS_DOES_NOT_FIT', { loss: name, why: reasons.join('; ') });
}
