/** @file Criterion `fisher`: the first-order change of the loss, from activations and their gradients. */

import type { Criterion } from './criterion.ts';
import { producerOutputs } from './group-parts.ts';

/**
 * The gate of a channel: Σ over positions of A·∂L/∂A, for one sample.
 *
 * @param activation (channels, positions), row-major
 */
export function gates(
  activation: ArrayLike<number>,
  gradient: ArrayLike<number>,
  channels: number,
): Float64Array {
  const positions = activation.length / channels;
  return Float64Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = c * positions; i < (c + 1) * positions; i++) sum += activation[i]! * gradient[i]!;
    return sum;
  });
}

/**
 * The Fisher information of a gate that multiplies the channel: with z the producers' outputs before the activation function,
 *
 *     score_c = mean over samples (and draws) of Σ_producers (Σ_positions z_c·∂L/∂z_c)²
 *
 * Source: after Theis et al., Faster gaze prediction with dense networks and Fisher pruning, 2018, https://arxiv.org/abs/1801.05787
 */
export const fisher: Criterion = {
  summary: 'Fisher information of a gate on the channel, before its activation function.',
  needs: 'gradients',
  watch({ group, index }) {
    const outputs = producerOutputs(group, index);
    const squares = new Float64Array(group.size);
    let runs = 0;
    return {
      taps: outputs.map(({ value, axis }) => ({ reduce: 'gate', value, axis })),
      see(numbers) {
        runs++;
        for (const [i, { indices }] of outputs.entries())
          for (const [c, own] of indices.entries())
            for (const k of own) squares[c]! += numbers[i]![k]! ** 2;
      },
      scores: () => squares.map((s) => s / Math.max(1, runs)),
    };
  },
};
