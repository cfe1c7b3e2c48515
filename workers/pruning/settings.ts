/** @file What a pruning is asked for, what it works with, and what it says. */

import type { Sample } from '../data/dataset.ts';
import type { Model } from '../onnx/graph.ts';
import type { TaskBinding } from '../tasks/task.ts';
import type { Trained } from '../training/train.ts';
import type { Normalization } from './criteria/normalize.ts';
import type { CriterionName } from './criteria/registry.ts';
import type { CutGroup } from './cut/cut.ts';
import type { GradientsFrom } from './gradients.ts';
import type { Resource } from './search/cost-model.ts';
import type { SearchName } from './search/registry.ts';
import type { Curve } from './search/search.ts';
import type { Sparsity } from './sparsity/sparsity.ts';
import type { GranularityName } from './structure/names.ts';

/** How far to prune. */
export type Target =
  /** Share of the input model's cost that is kept, at most. */
  | { readonly resource: Resource; readonly share: number }
  /** Drop of the metric on the tune images that is allowed. */
  | { readonly maxDrop: number }
  /** Measured: times as fast as the input model, or median ms of a run. */
  | { readonly speedup: number }
  | { readonly latencyMs: number };

/** `patches`: every layer fitted to what the original gave; `channels`: removed channels as combinations of kept ones. */
export type Compensation = 'patches' | 'channels';

export interface PruneSettings {
  readonly target: Target;
  readonly granularity: GranularityName;
  readonly criterion: CriterionName;
  readonly normalization: Normalization;
  readonly gradientsFrom: GradientsFrom | 'auto';
  readonly search: SearchName;
  readonly compensate: Compensation | false;
  readonly rounds: number | 'auto';
  readonly protect: readonly string[];
  readonly multipleOf: number | 'auto';
}

export interface PruneContext {
  readonly binding: TaskBinding;
  /** Calibration images. */
  readonly samples: readonly Sample[];
  /** Images that decide how far `maxDrop` may go. */
  readonly tune: readonly Sample[];
  /** Of the input model's file. */
  readonly fileBytes: number;
  readonly seed: number;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  progress(done: number, doing: string): void;
  /** After a round: train `model` in place. */
  afterRound?(model: Model, round: number): Promise<Trained>;
}

export interface Round {
  readonly share: number;
  /** Largest difference of the cut from the masked original, as a share of its part's scale. */
  readonly proof: number;
  /** Layers rebuilt, and the mean share of held-out error that rebuilding took away. */
  readonly rebuilt: number;
  readonly errorRemoved: number;
  /** What training after the round did. */
  readonly training?: Trained;
}

/** A cut that was tried on the way to a measured target. */
export interface Trial {
  /** Share of the MACs that it keeps. */
  readonly share: number;
  /** What was measured: speed-up, ms, or the metric. */
  readonly measured: number;
  readonly reached: boolean;
}

export interface Pruned {
  readonly model: Model;
  readonly groups: readonly CutGroup[];
  readonly gradientsFrom: GradientsFrom | null;
  readonly rounds: readonly Round[];
  readonly shares: { readonly macs: number; readonly params: number };
  readonly refused: readonly { readonly tensor: string; readonly reason: string }[];
  /** Of the first round, where the search measured them. */
  readonly sensitivity?: readonly Curve[];
  /** What is zero, where single weights were pruned. */
  readonly sparsity?: Sparsity;
  readonly trials?: readonly Trial[];
  /** What the result itself measures, where the target is measured. */
  readonly confirmed?: number;
}
