/** @file Criterion `lamp`: a channel's energy as a share of what is left once all weaker ones are gone. */

import { ofWeights } from './criterion.ts';
import { slicesOf } from './group-parts.ts';
import { energies } from './magnitude.ts';

/**
 * score_u = e_u / Σ e_v over all v with e_v ≥ e_u, so the largest scores 1 and scores compare between tensors.
 *
 * @param energy w² of single weights, or Σ w² of channels
 * Source: Lee et al., Layer-adaptive Sparsity for the Magnitude-based Pruning, 2021, https://arxiv.org/abs/2010.07611
 */
export function lampScores(energy: ArrayLike<number>): Float64Array {
  const rising = Float64Array.from(energy).sort();
  const rest = new Float64Array(rising.length + 1);
  for (let i = rising.length - 1; i >= 0; i--) rest[i] = rest[i + 1]! + rising[i]!;
  return Float64Array.from(energy, (e) => {
    const left = rest[firstAtLeast(rising, e)]!;
    return left > 0 ? e / left : 0;
  });
}

/** Place of the first of the rising numbers that is not below `x`. */
function firstAtLeast(rising: Float64Array, x: number): number {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const lamp = ofWeights(
  "Energy of a channel relative to the group's channels that are no weaker.",
  ({ group }) => lampScores(energies(slicesOf(group))),
);
