/** @file Granularities `channel` and `head`: score, search, cut, prove, rebuild, as far as the target says. */

import type { Model } from '../../onnx/graph.ts';
import { portion } from '../../runtime/portion.ts';
import { pruneTo } from '../prune-to.ts';
import type { PruneContext, Pruned, PruneSettings } from '../settings.ts';
import { pruneWithin } from '../targets/budget.ts';
import { pruneToTime } from '../targets/time.ts';
import { valueGroups } from '../value-groups.ts';

/** Share of the time until all is known of the input model's groups. */
const VALUING = 0.3;

export async function pruneChannels(
  model: Model,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Pruned> {
  const valued = await valueGroups(model, model, settings, portion(ctx, 0, VALUING));
  const start = { model, valued };
  const rest = portion(ctx, VALUING, 1);
  const { target } = settings;
  if ('share' in target) return pruneTo(start, target.resource, target.share, settings, rest);
  if ('maxDrop' in target)
    return pruneWithin(model, target.maxDrop, rest, (share, own) =>
      pruneTo(start, 'macs', share, settings, own),
    );
  return pruneToTime(start, target, settings, rest);
}
