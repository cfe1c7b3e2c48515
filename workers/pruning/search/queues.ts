/** @file The channels of each group in the order in which they would go, chunk by chunk. */

import { removalOrder } from '../criteria/normalize.ts';
import type { SearchContext } from './search.ts';

export interface Chunk {
  readonly group: number;
  readonly channels: readonly number[];
  /** Sum of the channels' scores. */
  readonly score: number;
}

/** Per group: its chunks, the least important first, as many as its floor lets go. */
export function chunkQueues({ groups, scores, chunk, floor }: SearchContext): Chunk[][] {
  return groups.map((group, i) => {
    const order = removalOrder(scores[i]!);
    const size = chunk(group);
    const queue: Chunk[] = [];
    // What is over a multiple goes first, so that what stays is one.
    const odd = group.size % size;
    let taken = 0;
    const lengths = odd > 0 && odd % group.unit === 0 ? [odd] : [];
    for (let n = lengths[0] ?? 0; n + size <= group.size; n += size) lengths.push(size);
    for (const length of lengths) {
      if (group.size - taken - length < floor(group)) break;
      const channels = order.slice(taken, taken + length);
      const score = channels.reduce((sum, c) => sum + scores[i]![c]!, 0);
      queue.push({ group: i, channels, score });
      taken += length;
    }
    return queue;
  });
}
