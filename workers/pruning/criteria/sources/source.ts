/** @file Where gradients come from: labels, the model's own predictions, random output cotangents. */

import type { Seed } from '../../../autodiff/backward.ts';
import type { GraphBuilder } from '../../../onnx/builder.ts';
import type { Model, Value } from '../../../onnx/graph.ts';
import type { Feed } from '../../../runtime/session.ts';
import type { Labels } from '../../../training/batches/labels.ts';

export type Feeds = Readonly<Record<string, Feed>>;

/** One calibration image: the model's inputs, and what is known to be on it. */
export interface Calibration {
  readonly feeds: Feeds;
  readonly labels?: Labels;
}

export interface BuiltSource {
  /** Gradients that arrive from outside. */
  readonly seeds: readonly Seed[];
  /** Values that no gradient passes. */
  readonly stop: ReadonlySet<Value>;
  /** Feeds of the inputs that the source made, one entry per run on this image. */
  runs(image: Calibration, index: number): Iterable<Feeds>;
}

export interface GradientSource {
  /**
   * Write the loss, or whatever gradients start from, behind the forward graph.
   *
   * @param model canonical, of static types; `g` writes into its graph
   */
  build(g: GraphBuilder, model: Model): BuiltSource;
}
