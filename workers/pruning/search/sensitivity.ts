/** @file Search `sensitivity`: least loss per cost saved, by what removal was measured to do to each group alone. */

import { cheapestFirst } from './greedy.ts';
import { type Chunk, chunkQueues } from './queues.ts';
import type { Curve, Search } from './search.ts';

/** Where a curve falls or stays level, removal is taken to cost this share of its largest rise: the order stays that of the curve. */
const LEAST = 1e-6;

/**
 * Like `greedy`, with a chunk's price the rise of its group's curve: loss after it − loss before it, curves read linearly between
 * their points and made to rise.
 */
export const sensitivity: Search = {
  summary: 'Least measured loss per cost saved, from a curve per group.',
  needsCurves: true,
  remove(context) {
    const { curves } = context;
    if (curves === undefined) throw new TypeError('internal: this search needs curves');
    const queues = chunkQueues(context).map((queue, i) => priced(queue, curves[i]!));
    return cheapestFirst(context, queues);
  },
};

function priced(queue: readonly Chunk[], curve: Curve): Chunk[] {
  const rising = risen(curve);
  const most = rising.points.at(-1)!.loss - rising.points[0]!.loss;
  const least = Math.max(LEAST * most, Number.MIN_VALUE);
  let removed = 0;
  return queue.map((chunk) => {
    const before = lossAt(rising, removed);
    removed += chunk.channels.length;
    return { ...chunk, score: Math.max(least, lossAt(rising, removed) - before) };
  });
}

/** Each loss at least the one before. */
function risen({ group, points }: Curve): Curve {
  let least = Number.NEGATIVE_INFINITY;
  return {
    group,
    points: points.map(({ removed, loss }) => {
      least = Math.max(least, loss);
      return { removed, loss: least };
    }),
  };
}

/** Linear between points, and on along the last piece. */
function lossAt({ points }: Curve, removed: number): number {
  const found = points.findIndex((p) => p.removed >= removed);
  const at = Math.max(1, found < 0 ? points.length - 1 : found);
  const [a, b] = [points[at - 1]!, points[at]];
  if (b === undefined) return a.loss;
  return a.loss + ((b.loss - a.loss) * (removed - a.removed)) / (b.removed - a.removed);
}
