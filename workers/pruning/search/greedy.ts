/** @file Search `greedy`: least importance lost per cost saved, at the widths of the moment. */

import { type Chunk, chunkQueues } from './queues.ts';
import { Removal } from './removal.ts';
import type { Search, SearchContext } from './search.ts';
import type { TimeModel } from './time-model.ts';

/**
 * Again and again, of every group's next chunk take the one with the least Σ score / cost saved, until the goal is met. What a chunk
 * saves falls as its neighbours shrink, so savings are counted anew.
 */
export const greedy: Search = {
  summary: 'Least importance lost per cost saved, one chunk at a time.',
  remove: (context) => cheapestFirst(context, chunkQueues(context)),
};

/** What a chunk saves, where that is not the cost that is to be met. */
export type Pricing = Pick<TimeModel, 'saving' | 'remove'>;

/** @param queues per group its chunks in the order in which they would go */
export function cheapestFirst(
  context: SearchContext,
  queues: readonly (readonly Chunk[])[],
  pricing?: Pricing,
): readonly (readonly number[])[] {
  const removal = new Removal(context);
  const next = queues.map(() => 0);
  const price = ({ group, channels, score }: Chunk): number => {
    const saved = (pricing ?? context.cost).saving(context.groups[group]!, channels);
    return saved > 0 ? score / saved : Number.POSITIVE_INFINITY;
  };
  const prices = queues.map(([first]) => (first ? price(first) : Number.POSITIVE_INFINITY));
  while (!removal.isDone) {
    const best = cheapest(prices);
    if (best === undefined) break;
    // Savings only fall, so prices only rise: the others' old prices are bounds.
    prices[best] = price(queues[best]![next[best]!]!);
    if (cheapest(prices) !== best) continue;
    const { group, channels } = queues[best]![next[best]!++]!;
    const before = removal.gone[group]!.length;
    removal.take({ group, channels, score: 0 });
    pricing?.remove(context.groups[group]!, removal.gone[group]!.slice(before));
    const following = queues[best]![next[best]!];
    prices[best] = following ? price(following) : Number.POSITIVE_INFINITY;
  }
  return removal.gone;
}

function cheapest(prices: readonly number[]): number | undefined {
  let best: number | undefined;
  for (const [i, price] of prices.entries())
    if (Number.isFinite(price) && (best === undefined || price < prices[best]!)) best = i;
  return best;
}
