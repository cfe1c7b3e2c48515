/** @file Pruning a model: what goes is a channel, a head, a block or a weight; every cut is proved. */

import type { Model } from '../onnx/graph.ts';
import { prepareForPruning } from './coupling/prepare.ts';
import type { PruneContext, Pruned, PruneSettings } from './settings.ts';
import { GRANULARITIES, type Granularity } from './structure/registry.ts';

export type { PruneContext, Pruned, PruneSettings } from './settings.ts';

export interface PrunedAs extends Pruned {
  readonly granularity: PruneSettings['granularity'];
  /** What becomes less: time on the target and the file, or the packed file alone. */
  readonly changes: Granularity['changes'];
}

/**
 * @throws PRUNING_IMPOSSIBLE the target is beyond what may go, with the best that can be had
 * @throws LOSS_DOES_NOT_FIT · PATTERN_MATCHES_NOTHING · OP_HAS_NO_GRADIENT · MODEL_CANNOT_RUN · OPTIONS_CONFLICT
 */
export async function pruneModel(
  given: Model,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<PrunedAs> {
  const { granularity } = settings;
  const { prune, changes }: Granularity = GRANULARITIES[granularity];
  const pruned = await prune(await prepareForPruning(given), settings, ctx);
  return { ...pruned, granularity, changes };
}
