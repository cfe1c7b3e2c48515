/** @file What a search is: which channels stay, so that a cost is met. One file per search, one line each in registry.ts. */

import type { Group } from '../coupling/groups.ts';
import type { CostModel } from './cost-model.ts';
import type { TimeModel } from './time-model.ts';

export interface SearchContext {
  readonly groups: readonly Group[];
  /** Per group, one score per channel: the lowest goes first. */
  readonly scores: readonly Float64Array[];
  /** As the model stands; the search removes from it. */
  readonly cost: CostModel;
  /** Cost to reach. */
  readonly goal: number;
  /** How far below the goal the cost may end. */
  readonly slack: number;
  /** Channels that go together in a group. */
  readonly chunk: (group: Group) => number;
  /** Channels that go together where a chunk would go too far. */
  readonly grain: (group: Group) => number;
  /** Channels that a group keeps at least. */
  readonly floor: (group: Group) => number;
  /** Per group what removal does to the loss; only where the search says that it needs it. */
  readonly curves?: readonly Curve[] | undefined;
  /** The layers' times; only where the search says that it needs them. */
  readonly times?: TimeModel | undefined;
}

/** Loss of the model when the least important channels of one group are gone. */
export interface Curve {
  readonly group: string;
  /** Rising from 0 channels removed, where the loss is that of the whole model. */
  readonly points: readonly { readonly removed: number; readonly loss: number }[];
}

export interface Search {
  readonly summary: string;
  readonly needsCurves?: boolean;
  readonly needsTimes?: boolean;
  /** @returns per group the channels that go; short of the goal where the floors allow no more */
  remove(context: SearchContext): readonly (readonly number[])[];
}
