/** @file Search `uniform`: the same share of every group. */

import { chunkQueues } from './queues.ts';
import { Removal } from './removal.ts';
import type { Search } from './search.ts';

export const uniform: Search = {
  summary: 'The same share of every group, its least important channels.',
  remove(context) {
    const removal = new Removal(context);
    // Chunks of all groups by the share of their group that is gone after them.
    const chunks = chunkQueues(context)
      .flatMap((queue, i) => {
        let taken = 0;
        return queue.map((chunk) => {
          taken += chunk.channels.length;
          return { chunk, share: taken / context.groups[i]!.size };
        });
      })
      .sort((a, b) => a.share - b.share || a.chunk.group - b.chunk.group);
    for (const { chunk } of chunks) {
      if (removal.isDone) break;
      removal.take(chunk);
    }
    return removal.gone;
  },
};
