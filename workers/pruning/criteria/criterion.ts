/** @file What an importance criterion is. One file per criterion, one line each in registry.ts. */

import type { GraphIndex } from '../../onnx/uses.ts';
import type { Group } from '../coupling/groups.ts';
import type { Observer } from './observe/reductions.ts';

/** What one criterion makes of one group while images pass by. Its memory does not grow with their number. */
export interface Watch extends Observer {
  /** One number per channel of the group: the lowest goes first. */
  scores(): Float64Array;
}

export interface WatchContext {
  readonly seed: number;
  readonly group: Group;
  /** Of the group's graph. */
  readonly index: GraphIndex;
}

export interface Criterion {
  readonly summary: string;
  /** Weights alone, activations of calibration images, or gradients of a loss on them. */
  readonly needs: 'weights' | 'activations' | 'gradients';
  watch(context: WatchContext): Watch;
}

/** A criterion that looks at weights only. */
export const ofWeights = (
  summary: string,
  scores: (context: WatchContext) => Float64Array,
): Criterion => ({
  summary,
  needs: 'weights',
  watch: (context) => ({ taps: [], scores: () => scores(context) }),
});
