/** @file Accuracy that decides inside a stage: on the tune images, against the model that the stage was given. */

import type { Sample } from '../data/dataset.ts';
import { agreement } from '../evaluation/agreement.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import type { Model } from '../onnx/graph.ts';
import type { Standing } from '../quantization/mixed/search.ts';
import type { RunContext } from '../runtime/context.ts';
import type { TaskBinding } from '../tasks/task.ts';

/**
 * @param reference evaluated once, at the first call
 * @returns agreement with it and the drop of the headline metric; null where the images have no labels for it
 */
export function standingOn(
  reference: Model,
  samples: readonly Sample[],
  ctx: RunContext,
): (model: Model) => Promise<Standing> {
  const binding: TaskBinding = { ...ctx.task, preprocess: ctx.preprocess };
  const look = (model: Model) => evaluate(model, binding, samples, ctx);
  let known: ReturnType<typeof look> | undefined;
  return async (model) => {
    known ??= look(reference);
    const [before, after] = [await known, await look(model)];
    const [was, is] = [before, after].map(({ metrics }) => metrics[binding.headline]);
    const drop = was === undefined || is === undefined ? null : was - is;
    return { agreement: agreement(before, after, binding), drop };
  };
}
