/** @file Pruning a model: score, search, cut, prove, rebuild, as far as the target says. */

import type { Model } from '../onnx/graph.ts';

import { prepareForPruning } from './coupling/prepare.ts';
import { portion, pruneTo } from './prune-to.ts';
import type { PruneContext, Pruned, PruneSettings } from './settings.ts';
import { pruneWithin } from './targets/budget.ts';
import { pruneToTime } from './targets/time.ts';
import { valueGroups } from './value-groups.ts';

export type { PruneContext, Pruned, PruneSettings } from './settings.ts';

/** Share of the time until all is known of the input model's groups. */
const VALUING = 0.3;

/**
 * @throws PRUNING_IMPOSSIBLE the target is beyond what may go, with the best that can be had
 * @throws LOSS_DOES_NOT_FIT · PATTERN_MATCHES_NOTHING · OP_HAS_NO_GRADIENT · MODEL_CANNOT_RUN
 */
export async function pruneModel(
  given: Model,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Pruned> {
  const model = await prepareForPruning(given);
  const valued = await valueGroups(model, model, settings, portion(ctx, 0, VALUING));
  const start = { model, valued };
  const rest = portion(ctx, VALUING, 1);
  const { target } = settings;
  if ('share' in target) return pruneTo(start, target.resource, target.share, settings, rest);
  if ('maxDrop' in target) return pruneWithin(start, target.maxDrop, settings, rest);
  return pruneToTime(start, target, settings, rest);
}
