/** @file What removal of its channels does to the loss, group by group: curves. */

import type { Model } from '../onnx/graph.ts';
import type { Group } from './coupling/groups.ts';
import { removalOrder } from './criteria/normalize.ts';
import type { Gradients } from './gradients.ts';
import { type MaskedLossOptions, maskedLosses } from './masked-loss.ts';
import type { Curve } from './search/search.ts';

/** Shares of a group's channels that are removed, beside none. */
const SHARES = [0.25, 0.5, 0.75];

/**
 * The loss (`maskedLosses`) with the least important quarter, half and three quarters of one group masked to zero, for every group.
 *
 * @param scores per group, one per channel: the lowest goes first
 * @throws MODEL_CANNOT_RUN
 */
export async function sensitivityCurves(
  model: Model,
  groups: readonly Group[],
  scores: readonly Float64Array[],
  gradients: Gradients,
  options: MaskedLossOptions,
): Promise<Curve[]> {
  const cases = groups.flatMap((group, i) => {
    const order = removalOrder(scores[i]!);
    return SHARES.map((share) => ({
      group,
      channels: order.slice(0, Math.floor(share * group.size)),
    }));
  });
  const all = [[], ...cases.map((one) => [one])];
  const losses = await maskedLosses(model, groups, all, gradients, options);
  return groups.map(({ id, size }, i) => ({
    group: id,
    points: [0, ...SHARES].map((share, k) => ({
      removed: Math.floor(share * size),
      loss: losses[k === 0 ? 0 : 1 + i * SHARES.length + k - 1]!,
    })),
  }));
}
