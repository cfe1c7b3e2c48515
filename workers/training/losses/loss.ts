/** @file What a training loss is. One file per loss, one line each in registry.ts. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph, Value } from '../../onnx/graph.ts';
import type { Feed } from '../../runtime/session.ts';
import type { TaskBinding } from '../../tasks/task.ts';
import type { Labels } from '../batches/labels.ts';

/** Where a loss is written: behind a forward graph whose batch and sizes are fixed. */
export interface LossContext {
  readonly g: GraphBuilder;
  /** Images of one step. */
  readonly batch: number;
  /** The value as a constant of the gradient: nothing flows back through what this returns. */
  detach(value: Value): Value;
  /** A new graph input. */
  input(name: string, shape: readonly (number | string)[], dtype?: 'float32' | 'int64'): Value;
}

export interface BuiltLoss {
  /** Scalar that training lowers. */
  readonly total: Value;
  /** Scalars that explain it: metrics.jsonl and the report show them by these names. */
  readonly parts: Readonly<Record<string, Value>>;
  /** The inputs that `LossContext.input` made, from one batch's labels. */
  feeds(labels: Labels): Readonly<Record<string, Feed>>;
}

/** A loss that found in a model what it needs. */
export interface BoundLoss {
  /** Values of the graph that it reads: what only leads on from them is no part of training. */
  readonly reads: readonly Value[];
  build(context: LossContext): BuiltLoss;
}

export interface LossOptions {
  /** Cross-entropy: probability taken from the true class and spread over all. */
  readonly labelSmoothing?: number;
  /** Huber: where the parabola becomes a line. */
  readonly delta?: number;
}

export interface Loss {
  readonly summary: string;
  /** What a batch's labels must be; 'none': images are enough. */
  readonly labels: Labels['kind'];
  /** @returns why this loss cannot be had of this model, in words, where it cannot */
  bind(graph: Graph, binding: TaskBinding, options: LossOptions): BoundLoss | { misfit: string };
}
