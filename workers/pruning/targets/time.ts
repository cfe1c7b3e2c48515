/** @file Targets `speedup` and `latencyMs`: as many MACs as the time measured here allows. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { type PairedLatency, pairedLatency } from '../../evaluation/latency.ts';
import type { Model } from '../../onnx/graph.ts';
import { writeModel } from '../../onnx/write.ts';
import { portion } from '../../runtime/portion.ts';
import { pruneTo, type Start } from '../prune-to.ts';
import { cutTo } from '../round.ts';
import { COSTS } from '../search/cost-terms.ts';
import type { PruneContext, Pruned, PruneSettings } from '../settings.ts';
import { approach } from './approach.ts';

export type TimeTarget = { readonly speedup: number } | { readonly latencyMs: number };

const MOST_TRIALS = 7;
const RESOLUTION = 0.02;
const FACTOR = 0.75;
/** Runs of each model per measurement. */
const PAIRS = 50;
/** Share of the time that trials take. */
const TRYING = 0.3;

/**
 * Cuts are timed beside the input model until the largest share of the MACs that is fast enough is known; the result is pruned to that
 * share and timed again.
 *
 * @throws PRUNING_IMPOSSIBLE no cut that the floors allow is fast enough
 */
export async function pruneToTime(
  start: Start,
  target: TimeTarget,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Pruned> {
  const whole = COSTS.macs(start.model, ctx.fileBytes).total;
  let n = 0;
  const { best, trials } = await approach('largest share', {
    ...{ factor: FACTOR, resolution: RESOLUTION, most: MOST_TRIALS },
    first: 'speedup' in target ? Math.min(1, 1 / target.speedup) : FACTOR,
    async tryShare(share) {
      ctx.progress((TRYING * n++) / MOST_TRIALS, `timing a cut to ${share.toFixed(2)} of the MACs`);
      const goal = { resource: 'macs', cost: share * whole, whole } as const;
      const { model } = await cutTo(start.model, start.valued, goal, settings, ctx);
      const measured = measuredOf(await timed(start.model, model, ctx), target);
      return { made: share, trial: { share, measured, reached: isFast(measured, target) } };
    },
  });
  if (best === undefined)
    throw tooSlow(
      target,
      trials.map(({ measured }) => measured),
    );
  const made = await pruneTo(start, 'macs', best, settings, portion(ctx, TRYING, 1));
  const confirmed = measuredOf(await timed(start.model, made.model, ctx), target);
  return { ...made, trials, confirmed };
}

/** Both models, run in turns. */
export async function timed(
  before: Model,
  after: Model,
  { threads, provider, signal, binding }: PruneContext,
) {
  const files = [writeModel(before), writeModel(after)];
  const inputSize = binding.input?.size;
  const [, own] = await pairedLatency(files, {
    ...{ threads, provider, signal, pairs: PAIRS },
    ...(inputSize && { inputSize }),
  });
  return own!;
}

export const measuredOf = ({ latency, speedup }: PairedLatency, target: TimeTarget): number =>
  'speedup' in target ? speedup : latency.median;

export const isFast = (measured: number, target: TimeTarget): boolean =>
  'speedup' in target ? measured >= target.speedup : measured <= target.latencyMs;

function tooSlow(
  target: TimeTarget,
  measured: readonly number[],
): ServiceError<'PRUNING_IMPOSSIBLE'> {
  const [resource, wanted] = Object.entries(target)[0] as [string, number];
  const least = 'speedup' in target ? Math.max(...measured) : Math.min(...measured);
  return new ServiceError('PRUNING_IMPOSSIBLE', { resource, wanted, least });
}
