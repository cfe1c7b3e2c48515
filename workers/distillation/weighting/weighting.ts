/** @file What a weighting rule is: how strongly a distillation loss counts, step by step. One file per rule. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';

/** What one step, or one evaluation, shows. Each rule reads the part it needs and ignores the rest. */
export interface Observation {
  /** Share of the stage that is done, 0 to 1. */
  readonly progress?: number;
  /** Metric of student and teacher on the held-out images, or their loss there. */
  readonly evaluation?: { readonly student: number; readonly teacher: number };
  /** L2 norms over all weights together: of the task's loss, and of the unweighted distillation loss. */
  readonly gradientNorms?: { readonly task: number; readonly distillation: number };
  /** The unweighted loss that this rule weighs. */
  readonly loss?: number;
}

/** A pure state machine: nothing but `State`, which is plain JSON and is kept in every checkpoint. */
export interface Weighting<State, Options> {
  readonly summary: string;
  readonly defaults: Options;
  start(options: Options): State;
  /** The state after an observation. */
  next(state: State, seen: Observation, options: Options): State;
  /** λ in force: the loss is multiplied by it. */
  weight(state: State, options: Options): number;
  /** Weights of the locations within the loss, [B, A], from the teacher's logits [B, C, A]. */
  locations?(g: GraphBuilder, teacherLogits: Value, options: Options): Value;
}

/** Checks a rule's types where it is written. */
export const defineWeighting = <State, Options>(
  rule: Weighting<State, Options>,
): Weighting<State, Options> => rule;

export const clip = (x: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, x));
