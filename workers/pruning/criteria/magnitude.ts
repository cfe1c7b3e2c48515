/** @file Criteria `l1` and `l2`: how large a channel's weights are. */

import { ofWeights } from './criterion.ts';
import { slicesOf } from './group-parts.ts';
import { type Slice, sums } from './slices.ts';

/**
 * score_c = Σ |w| over all slices that the group couples.
 *
 * Source: Li et al., Pruning Filters for Efficient ConvNets, 2017; over groups: Fang et al., DepGraph, 2023
 */
export const absoluteSums = (slices: readonly Slice[]): Float64Array => sums(slices, Math.abs);

/** e_c = Σ w². */
export const energies = (slices: readonly Slice[]): Float64Array => sums(slices, (w) => w * w);

/** score_c = √Σ w². */
export const norms = (slices: readonly Slice[]): Float64Array => energies(slices).map(Math.sqrt);

export const l1 = ofWeights('Sum of the magnitudes of all coupled weights.', ({ group }) =>
  absoluteSums(slicesOf(group)),
);

export const l2 = ofWeights('Euclidean norm of all coupled weights.', ({ group }) =>
  norms(slicesOf(group)),
);
