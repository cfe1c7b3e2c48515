/** @file Granularity `block`: whole residual branches, first those whose loss is smallest for what they cost. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { countMacs, countParams } from '../../onnx/cost.ts';
import type { Model } from '../../onnx/graph.ts';
import { writeModel } from '../../onnx/write.ts';
import { inferTypes } from '../../runtime/infer-types.ts';
import { portion } from '../../runtime/portion.ts';
import { feedsOf } from '../../tasks/feed.ts';
import { Judge } from '../../training/judge.ts';
import type { CutGroup } from '../cut/cut.ts';
import { provePruned } from '../cut/proof.ts';
import { rebuild } from '../rebuild.ts';
import type { PruneContext, Pruned, PruneSettings, Round, Target, Trial } from '../settings.ts';
import { sharesOf } from '../shares.ts';
import { isFast, measuredOf, timed } from '../targets/time.ts';
import { BlockPath } from './block-path.ts';
import { type Block, droppedBlocks, withoutBlocks } from './blocks.ts';

const PROOF_IMAGES = 2;
/** Share of the time until blocks are chosen. */
const CHOOSING = 0.6;

/**
 * Blocks go one by one. Each time the few of least loss per MAC are measured again with those masked that went before, and the best of
 * them goes, until the target is met.
 *
 * @throws PRUNING_IMPOSSIBLE all blocks together are less than the target asks for
 * @throws INTERNAL the model without the blocks is not what the masked one is
 */
export async function dropBlocks(
  model: Model,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Pruned> {
  const path = new BlockPath(model, settings, portion(ctx, 0, CHOOSING));
  const { blocks, trials } = await follow(path, settings.target, ctx);
  const left = withoutBlocks(model, blocks);
  await inferTypes(left);
  const report = droppedBlocks(model, blocks);
  const feeds = await Array.fromAsync(feedsOf(ctx.samples.slice(0, PROOF_IMAGES), ctx.binding));
  const { worst } = await provePruned(model, left, report, feeds, ctx);
  const made = await finished(model, left, report, settings, portion(ctx, CHOOSING, 1));
  const shares = sharesOf(model, made.model);
  const rounds: Round[] = [{ share: shares.macs, proof: worst, ...made.figures }];
  return {
    ...{ model: made.model, groups: report, gradientsFrom: path.gradientsFrom, rounds, shares },
    refused: [],
    ...(trials.length > 0 && { trials, confirmed: trials.at(-1)!.measured }),
  };
}

async function finished(
  model: Model,
  left: Model,
  report: readonly CutGroup[],
  { compensate }: PruneSettings,
  ctx: PruneContext,
) {
  const reference = { model, report };
  const { model: made, ...figures } = await rebuild(compensate, left, reference, undefined, ctx);
  await ctx.afterRound?.(made, 1);
  await inferTypes(made);
  return { model: made, figures };
}

/** Go along the path as far as the target asks for, or allows. */
async function follow(path: BlockPath, target: Target, ctx: PruneContext) {
  if ('maxDrop' in target) return followWithin(path, target.maxDrop, ctx);
  const trials: Trial[] = [];
  const whole = costOf(path.model, target);
  let best = 'latencyMs' in target ? Number.POSITIVE_INFINITY : 'share' in target ? 1 : 0;
  for (let left = await path.next(); left; left = await path.next()) {
    ctx.signal.throwIfAborted();
    if ('share' in target) {
      best = costOf(left, target) / whole;
      if (best <= target.share) return { blocks: path.blocks, trials };
      continue;
    }
    await inferTypes(left);
    const measured = measuredOf(await timed(path.model, left, ctx), target);
    const reached = isFast(measured, target);
    best = 'latencyMs' in target ? Math.min(best, measured) : Math.max(best, measured);
    trials.push({ share: sharesOf(path.model, left).macs, measured, reached });
    if (reached) return { blocks: path.blocks, trials };
  }
  const [name, wanted] = Object.entries(target).find(([, v]) => typeof v === 'number')!;
  const resource = `${'share' in target ? target.resource : name} (block)`;
  throw new ServiceError('PRUNING_IMPOSSIBLE', { resource, wanted: wanted as number, least: best });
}

function costOf(model: Model, target: Target): number {
  if (!('share' in target) || target.resource === 'macs') return countMacs(model);
  return target.resource === 'params' ? countParams(model) : writeModel(model).byteLength;
}

/** Blocks go while the metric on the tune images stays within the budget. */
async function followWithin(path: BlockPath, maxDrop: number, ctx: PruneContext) {
  const judge = new Judge(ctx.tune, ctx.binding, ctx);
  const before = await judge.judge(path.model);
  const trials: Trial[] = [];
  let blocks: readonly Block[] = [];
  for (let left = await path.next(); left; left = await path.next()) {
    await inferTypes(left);
    const measured = await judge.judge(left);
    const reached = measured >= before - maxDrop;
    trials.push({ share: sharesOf(path.model, left).macs, measured, reached });
    if (!reached) break;
    blocks = [...path.blocks];
  }
  if (blocks.length > 0) return { blocks, trials: trials.filter((t) => t.reached) };
  throw new ServiceError('PRUNING_IMPOSSIBLE', {
    ...{ resource: `${judge.metric} on the tune images (block)`, wanted: before - maxDrop },
    least: Math.max(0, ...trials.map(({ measured }) => measured)),
  });
}
