/** @file Making scores of different groups comparable. */

/**
 * How a group's scores are brought to one scale before groups are compared:
 *
 *     global  as they are
 *     group   divided by their mean over the group
 *     layer   the rank within the group, (r + ½)/n: every layer loses the same share
 */
export const NORMALIZATIONS = {
  global: (scores: Float64Array): Float64Array => scores.slice(),
  group: byMean,
  layer: ranks,
} as const satisfies Record<string, (scores: Float64Array) => Float64Array>;

export type Normalization = keyof typeof NORMALIZATIONS;

function byMean(scores: Float64Array): Float64Array {
  const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
  return mean > 0 ? scores.map((s) => s / mean) : scores.slice();
}

function ranks(scores: Float64Array): Float64Array {
  const out = new Float64Array(scores.length);
  for (const [rank, c] of removalOrder(scores).entries()) out[c] = (rank + 0.5) / scores.length;
  return out;
}

/** Channels, the one to remove first in front; at equal scores the lower index. */
export function removalOrder(scores: ArrayLike<number>): number[] {
  return Array.from(scores, (_, c) => c).sort((a, b) => scores[a]! - scores[b]! || a - b);
}
