/** @file A model for several images at once. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Model } from '../onnx/graph.ts';
import { setInputShape } from '../passes/input-shape.ts';
import { shapeAt } from '../tasks/model-input.ts';
import type { TaskBinding } from '../tasks/task.ts';
import { canonical } from './canonical.ts';

export interface Batched {
  /** Canonical, all sizes fixed. */
  readonly model: Model;
  /** Images of one run. */
  readonly batch: number;
  /** Runs whose gradients make one step, so that batch × accumulate is what was asked for. */
  readonly accumulate: number;
  /** Why a run takes fewer images than asked for; '' where it does not. */
  readonly note: string;
}

/**
 * `model` with an input of `batch` images. Where its graph is tied to the batch it was exported with, that batch is kept and gradients
 * are summed over several runs.
 */
export async function batched(model: Model, binding: TaskBinding, batch: number): Promise<Batched> {
  const input = binding.input!;
  try {
    const { model: resized } = await setInputShape(model, { [input.name]: shapeAt(input, batch) });
    return { model: await canonical(resized), batch, accumulate: 1, note: '' };
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'INPUT_SHAPE_UNSUPPORTED') throw error;
    const own = input.batch;
    const { model: same } = await setInputShape(model, { [input.name]: shapeAt(input, own) });
    const note = `The graph takes ${own} image(s) at a time (${error.message}); gradients of ${Math.ceil(batch / own)} runs are averaged.`;
    return { model: await canonical(same), batch: own, accumulate: Math.ceil(batch / own), note };
  }
}
