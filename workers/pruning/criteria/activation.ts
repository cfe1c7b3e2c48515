/** @file Criterion `activation`: how strong a channel is where its consumers read it. */

import type { Criterion } from './criterion.ts';
import { consumerInputs } from './group-parts.ts';

/**
 * score_c = Σ over the consumers' inputs of the mean over images and positions of A_c².
 *
 * A channel that spans several entries (a flattened map) has the sum of theirs.
 */
export const activation: Criterion = {
  summary: "Mean squared activation at the consumers' inputs.",
  needs: 'activations',
  watch({ group }) {
    const inputs = consumerInputs(group);
    const sums = new Float64Array(group.size);
    let runs = 0;
    return {
      taps: inputs.map(({ value, axis }) => ({ reduce: 'energy', value, axis })),
      see(numbers) {
        runs++;
        for (const [i, { indices }] of inputs.entries())
          for (const [c, own] of indices.entries())
            for (const k of own) sums[c]! += numbers[i]![k]!;
      },
      scores: () => sums.map((s) => s / Math.max(1, runs)),
    };
  },
};

/**
 * The same from whole batches: mean over all images and positions of A², batches weighted by their images.
 *
 * @param batches (N, C, …) each, row-major
 */
export function activationEnergies(
  batches: readonly { readonly shape: readonly number[]; readonly data: ArrayLike<number> }[],
): Float64Array {
  const channels = batches[0]!.shape[1]!;
  const sums = new Float64Array(channels);
  let count = 0;
  for (const { shape, data } of batches) {
    const inner = shape.slice(2).reduce((n, d) => n * d, 1);
    count += shape[0]! * inner;
    for (let i = 0; i < data.length; i++) sums[Math.floor(i / inner) % channels]! += data[i]! ** 2;
  }
  return sums.map((s) => s / count);
}
