/** @file Target `maxDrop`: as little as the metric on the tune images allows. */

import { ServiceError } from '../../../src/contract/errors.ts';
import type { Model } from '../../onnx/graph.ts';
import { portion } from '../../runtime/portion.ts';
import { Judge } from '../../training/judge.ts';
import type { PruneContext, Pruned } from '../settings.ts';
import { approach } from './approach.ts';

const MOST_TRIALS = 8;
/** Shares that are closer than this are not told apart. */
const RESOLUTION = 0.02;
const FIRST = 0.85;
const FACTOR = 0.8;

/**
 * Every trial is a whole pruning, rebuilding and training between rounds included: reached where metric ≥ before − maxDrop.
 *
 * @param make prunes the model to a share
 * @throws PRUNING_IMPOSSIBLE no cut was within the budget
 */
export async function pruneWithin(
  model: Model,
  maxDrop: number,
  ctx: PruneContext,
  make: (share: number, ctx: PruneContext) => Promise<Pruned>,
): Promise<Pruned> {
  const judge = new Judge(ctx.tune, ctx.binding, ctx);
  const before = await judge.judge(model);
  let n = 0;
  const { best, trials } = await approach('least share', {
    ...{ first: FIRST, factor: FACTOR, resolution: RESOLUTION, most: MOST_TRIALS },
    async tryShare(share) {
      const made = await make(share, portion(ctx, n / MOST_TRIALS, ++n / MOST_TRIALS));
      const measured = await judge.judge(made.model);
      const reached = measured >= before - maxDrop;
      return { made: { made, measured }, trial: { share: made.shares.macs, measured, reached } };
    },
  });
  if (best === undefined)
    throw new ServiceError('PRUNING_IMPOSSIBLE', {
      resource: `${judge.metric} on the tune images`,
      wanted: before - maxDrop,
      least: Math.max(0, ...trials.map(({ measured }) => measured)),
    });
  return { ...best.made, trials, confirmed: best.measured };
}
