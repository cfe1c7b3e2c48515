/** @file Criterion `fpgm`: filters that others can stand in for. */

import { ofWeights } from './criterion.ts';
import { producerSlices } from './group-parts.ts';
import { type Slice, vectorOf } from './slices.ts';

/**
 * score_c = Σ_j ‖v_c − v_j‖, v_c: the producers' filters of channel c laid end to end.
 *
 * The smallest is nearest to the geometric median: the others can replace it.
 * Source: He et al., Filter Pruning via Geometric Median, 2019, https://arxiv.org/abs/1811.00250
 */
export function medianDistances(slices: readonly Slice[]): Float64Array {
  const channels = slices[0]?.indices.length ?? 0;
  const vectors = Array.from({ length: channels }, (_, c) => vectorOf(slices, c));
  const scores = new Float64Array(channels);
  for (const [c, a] of vectors.entries())
    for (let j = 0; j < c; j++) {
      const d = distance(a, vectors[j]!);
      scores[c]! += d;
      scores[j]! += d;
    }
  return scores;
}

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum);
}

export const fpgm = ofWeights(
  "Distance of a channel's filters to the group's other filters.",
  ({ group }) => medianDistances(producerSlices(group)),
);
