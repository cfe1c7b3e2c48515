/** @file What a search has taken so far. */

import type { Chunk } from './queues.ts';
import type { SearchContext } from './search.ts';

/** Channels that go, until the cost is met and no further: the last chunk is taken in part where all of it would be too much. */
export class Removal {
  /** Per group. */
  readonly gone: readonly number[][];
  readonly #context: SearchContext;

  constructor(context: SearchContext) {
    this.#context = context;
    this.gone = context.groups.map(() => []);
  }

  get isDone(): boolean {
    return this.#context.cost.cost <= this.#context.goal;
  }

  take({ group, channels }: Chunk): void {
    const { cost, groups, goal, slack } = this.#context;
    const after = cost.cost - cost.saving(groups[group]!, channels);
    const taken =
      after < goal - slack ? channels.slice(0, this.#enough(group, channels)) : channels;
    this.gone[group]!.push(...taken);
    cost.remove(groups[group]!, taken);
  }

  /** The fewest of the channels with which the goal is met. */
  #enough(group: number, channels: readonly number[]): number {
    const { cost, groups, goal, grain } = this.#context;
    const step = grain(groups[group]!);
    const missing = cost.cost - goal;
    for (let n = step; n < channels.length; n += step)
      if (cost.saving(groups[group]!, channels.slice(0, n)) >= missing) return n;
    return channels.length;
  }
}
