/** @file Search `latency-aware`: least importance lost per millisecond saved, by tables measured on this worker. */

import { cheapestFirst } from './greedy.ts';
import { chunkQueues } from './queues.ts';
import type { Search } from './search.ts';

/** Part of a MAC's share of the time that counts where a table shows no gain: the goal must come nearer. */
const LEAST = 0.01;

export const latencyAware: Search = {
  summary: 'Least importance lost per time saved, from layers timed on this worker.',
  needsTimes: true,
  remove(context) {
    const { cost, times } = context;
    if (times === undefined) throw new TypeError('internal: this search needs times');
    const perMac = (LEAST * times.total) / cost.total;
    return cheapestFirst(context, chunkQueues(context), {
      saving: (group, channels) =>
        Math.max(times.saving(group, channels), perMac * cost.saving(group, channels)),
      remove: (group, channels) => times.remove(group, channels),
    });
  },
};
