/** @file What a pass is: a rewrite after which the graph computes the same. */

import type { Model } from '../onnx/graph.ts';

export interface PassContext {
  /** Intra-op threads for passes that run parts of the graph. */
  readonly threads: number;
  /** Bytes that the file may grow by to spare work at run time (folded constants); 0: it may not. */
  readonly allowance: number;
  /** A place the pass looked at and left alone, and why: for the report. */
  decline(where: string, why: string): void;
}

export interface Pass {
  /** In words, for the report. */
  readonly summary: string;
  /**
   * Rewrite the model in place. Values that the file's nodes make carry inferred types; those that a pass of the same
   * round added may have none. The order of nodes need not be kept.
   *
   * @returns how many places were changed
   */
  run(model: Model, context: PassContext): number | Promise<number>;
}
