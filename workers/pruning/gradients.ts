/** @file Where a criterion's gradients come from: labels, else the model's own predictions, else random cotangents. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Sample } from '../data/dataset.ts';
import type { Model } from '../onnx/graph.ts';
import { isLabelled } from '../tasks/labelled.ts';
import type { TaskBinding } from '../tasks/task.ts';
import { chooseLoss } from '../training/losses/registry.ts';
import { labelled, selfLabelled } from './criteria/sources/calibration.ts';
import { cotangents } from './criteria/sources/cotangents.ts';
import { lossSource } from './criteria/sources/loss.ts';
import type { Calibration, GradientSource } from './criteria/sources/source.ts';

export const GRADIENT_SOURCES = ['labels', 'predictions', 'cotangents'] as const;
export type GradientsFrom = (typeof GRADIENT_SOURCES)[number];

interface Runtime {
  readonly threads: number;
  readonly provider: string;
  readonly seed: number;
}

export interface Gradients {
  readonly from: GradientsFrom;
  readonly source: GradientSource;
  images(): AsyncIterable<Calibration>;
}

/** What the gradients are of. */
export interface GradientSubject {
  readonly model: Model;
  /** Whose predictions stand for labels: the model as it came, however much of `model` is gone by now. */
  readonly predictor: Model;
  readonly samples: readonly Sample[];
  readonly binding: TaskBinding;
}

/**
 * @param wanted `auto`: the first that the model and its images allow
 * @throws LOSS_DOES_NOT_FIT a source that was asked for by name cannot be had
 */
export function gradientsOf(
  wanted: GradientsFrom | 'auto',
  { model, predictor, samples, binding }: GradientSubject,
  runtime: Runtime,
): Gradients {
  const reasons: string[] = [];
  for (const from of wanted === 'auto' ? GRADIENT_SOURCES : [wanted]) {
    if (from === 'cotangents')
      return {
        from,
        source: cotangents({ seed: runtime.seed }),
        images: () => labelled(samples, binding),
      };
    const why = misfit(from, model, samples, binding);
    if (why !== undefined) reasons.push(why);
    else
      return {
        from,
        source: lossSource((graph) => taskLoss(graph, binding)),
        images: () =>
          from === 'labels'
            ? labelled(samples, binding)
            : selfLabelled(predictor, samples, binding, runtime),
      };
  }
  throw new ServiceError('LOSS_DOES_NOT_FIT', { loss: `of ${wanted}`, why: reasons.join('; ') });
}

const taskLoss = (graph: Model['graph'], binding: TaskBinding) =>
  chooseLoss(binding.task === 'detect' ? 'task-aligned' : 'cross-entropy', graph, binding, {
    labelled: true,
  }).bound;

function misfit(
  from: GradientsFrom,
  { graph }: Model,
  samples: readonly Sample[],
  binding: TaskBinding,
): string | undefined {
  if (binding.task === 'generic') return 'its task has no loss of labels';
  if (from === 'labels' && !isLabelled(binding.task, samples)) return 'the images have no labels';
  try {
    taskLoss(graph, binding);
    return undefined;
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'LOSS_DOES_NOT_FIT') return error.message;
    throw error;
  }
}
