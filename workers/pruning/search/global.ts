/** @file Search `global`: the least important channels of the whole model, whatever they cost. */

import { chunkQueues } from './queues.ts';
import { Removal } from './removal.ts';
import type { Search } from './search.ts';

export const global: Search = {
  summary: 'The least important channels of all groups, whatever they cost.',
  remove(context) {
    const removal = new Removal(context);
    // A chunk never goes before one of its own group that is less important: queues rise.
    const chunks = chunkQueues(context)
      .flat()
      .sort((a, b) => a.score / a.channels.length - b.score / b.channels.length);
    for (const chunk of chunks) {
      if (removal.isDone) break;
      removal.take(chunk);
    }
    return removal.gone;
  },
};
