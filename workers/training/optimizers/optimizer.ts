/** @file What an optimizer is: the update of one flat vector of weights, as nodes. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';

export interface Update {
  readonly g: GraphBuilder;
  /** Weights and their gradient, flat: [P]. */
  readonly w: Value;
  readonly grad: Value;
  /** In the order of `Optimizer.states`, each [P]. */
  readonly states: readonly Value[];
  /** Strength of weight decay; 0 for groups that are not decayed. */
  readonly decay: number;
  /** Learning rate, a scalar input. */
  readonly lr: Value;
  /** Scalar inputs by the names that `Optimizer.scalars` gives them. */
  readonly scalars: Readonly<Record<string, Value>>;
}

export interface OptimizerOptions {
  /** SGD: share of the old direction that is kept. */
  readonly momentum: number;
  readonly nesterov: boolean;
  /** AdamW: decay of the two running means. */
  readonly betas: readonly [number, number];
  readonly epsilon: number;
}

export interface Optimizer {
  readonly summary: string;
  /** Vectors that it remembers per weight; all start at 0. */
  readonly states: readonly string[];
  /** Numbers that change with the step s = 1, 2, … */
  scalars(step: number, options: OptimizerOptions): Readonly<Record<string, number>>;
  update(
    update: Update,
    options: OptimizerOptions,
  ): { readonly w: Value; readonly states: readonly Value[] };
}
