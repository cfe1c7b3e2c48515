/** @file The training loop: batches in, the best weights on the tune split out. */

import type { Sample } from '../data/dataset.ts';
import type { Model } from '../onnx/graph.ts';
import type { Evaluation, TaskBinding } from '../tasks/task.ts';
import type { Companion } from './companion.ts';
import { prepare } from './prepare.ts';
import { Run } from './run.ts';
import type { TrainSettings } from './settings.ts';

export interface TrainContext {
  /** Its preprocess is the resolved one. */
  readonly binding: TaskBinding;
  /** Images trained on, and images that decide which weights are best. */
  readonly fit: readonly Sample[];
  readonly tune: readonly Sample[];
  /** Images without labels that are trained on too: by the companion's loss alone. */
  readonly unlabelled?: readonly Sample[];
  /** A second loss beside the task's. */
  readonly companion?: Companion | undefined;
  /** What becomes of the trained model before it is judged; default: it is judged as it is. */
  readonly finished?: (model: Model) => Model;
  /** What agreement on the tune images is measured against; default: the model as it came. */
  readonly reference?: Evaluation | undefined;
  readonly seed: number;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  /** A folder that a second attempt finds again; undefined: none. */
  readonly kept: string | undefined;
  progress(done: number, doing: string): void;
  warn(message: string): void;
  info(message: string): void;
  metric(record: Readonly<Record<string, string | number | boolean | null>>): void;
}

/** One judgement: a point of the curve in the report. */
export interface CurvePoint {
  readonly step: number;
  readonly epoch: number;
  /** Mean over the steps since the point before. */
  readonly loss: number;
  readonly lr: number;
  /** The judge's metric on the tune split. */
  readonly tune: number;
  readonly seconds: number;
  readonly [part: string]: number;
}

export interface Trained {
  /** Name of the task's loss; 'none': the companion's alone. */
  readonly loss: string;
  readonly metric: string;
  readonly parameters: number;
  readonly frozen: number;
  readonly lr: number;
  readonly steps: number;
  readonly epochs: number;
  /** The metric before, and of the weights that were kept (those of `bestStep`; 0: as they came). */
  readonly before: number;
  readonly best: number;
  readonly bestStep: number;
  readonly endedEarly: boolean;
  readonly rollbacks: number;
  /** The step from which the tune images were trained on too, and `best` is no independent figure; absent: none. */
  readonly tuneJoinedAt?: number;
  readonly secondsPerStep: number;
  /** Share of the training time that was spent in steps, not waiting for images. */
  readonly stepShare: number;
  readonly curve: readonly CurvePoint[];
}

/**
 * Train `model` in place. Its weights end as the best that the judge saw, which may be those it came with.
 *
 * @throws LOSS_DOES_NOT_FIT · MODEL_NOT_TRAINABLE · OP_HAS_NO_GRADIENT · SPLIT_MISSING · CLASSES_DIFFER
 */
export async function train(
  model: Model,
  settings: TrainSettings,
  ctx: TrainContext,
): Promise<Trained> {
  const prepared = await prepare(model, settings, ctx);
  try {
    return await new Run(model, settings, ctx, prepared).go();
  } finally {
    await prepared.release();
  }
}
