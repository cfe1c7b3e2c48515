/** @file What a pass is: a rewrite after which the graph computes the same. */

import type { Model } from '../onnx/graph.ts';

export interface Pass {
  /** In words, for the report. */
  readonly summary: string;
  /** Rewrite the model in place; types are inferred. @returns how many places were changed */
  run(model: Model): number | Promise<number>;
}
