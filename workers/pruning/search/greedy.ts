/** @file Search `greedy`: least importance lost per cost saved, at the widths of the moment. */

import { chunkQueues } from './queues.ts';
import type { Search } from './search.ts';

/**
 * Again and again, of every group's next chunk take the one with the least Σ score / cost saved, until the goal is met. What a chunk
 * saves falls as its neighbours shrink, so savings are counted anew each time.
 */
export const greedy: Search = {
  summary: 'Least importance lost per cost saved, one chunk at a time.',
  remove(context) {
    const { groups, cost, goal } = context;
    const queues = chunkQueues(context);
    const gone: number[][] = groups.map(() => []);
    while (cost.cost > goal) {
      let best: { group: number; price: number } | undefined;
      for (const [i, queue] of queues.entries()) {
        const next = queue[0];
        if (next === undefined) continue;
        const saved = cost.saving(groups[i]!, next.channels);
        const price = next.score / Math.max(saved, Number.MIN_VALUE);
        if (saved > 0 && (best === undefined || price < best.price)) best = { group: i, price };
      }
      if (best === undefined) break;
      const { channels } = queues[best.group]!.shift()!;
      gone[best.group]!.push(...channels);
      cost.remove(groups[best.group]!, channels);
    }
    return gone;
  },
};
