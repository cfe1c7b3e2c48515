/** @file What a report says of zeros. */

import type { PatternName } from './patterns.ts';

/** What of a model is zero, and what that changes. */
export interface Sparsity {
  readonly pattern: PatternName;
  /** Weights that could be masked, and those of them that are zero now. */
  readonly weights: number;
  readonly zeros: number;
  readonly layers: readonly {
    readonly tensor: string;
    readonly size: number;
    readonly zeros: number;
  }[];
  /** Of the file, packed with gzip: its own size is as before. */
  readonly compressedBytes: { readonly before: number; readonly after: number };
}
