/** @file One round: choose, cut, prove, rebuild. */

import type { Model } from '../onnx/graph.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { feedsOf } from '../tasks/feed.ts';
import { chooseChannels, type Goal, type Valued } from './choose.ts';
import { compensate } from './compensation/compensate.ts';
import { layerPairs } from './compensation/pairs.ts';
import { type CutGroup, cut } from './cut/cut.ts';
import { provePruned } from './cut/proof.ts';
import type { PruneContext, PruneSettings, Round } from './settings.ts';

/** Real inputs on which every cut is proved. */
const PROOF_IMAGES = 2;
/** Output positions of a layer that are sampled over all images: the trial in which more did not help. */
const PATCHES = 16_000;
/** One in this many calibration images chooses ridges. */
const HELD_OUT = 5;

export interface RoundResult {
  readonly model: Model;
  readonly report: readonly CutGroup[];
  readonly figures: Omit<Round, 'share'>;
}

/**
 * @throws PRUNING_IMPOSSIBLE
 * @throws INTERNAL the cut model is not what the masked one is
 */
export async function pruneOnce(
  model: Model,
  valued: Valued,
  goal: Goal,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<RoundResult> {
  ctx.progress(0, 'cutting');
  const { model: pruned, report } = await cutTo(model, valued, goal, settings, ctx);
  const { worst } = await provePruned(model, pruned, report, await firstFeeds(ctx), ctx);
  if (!settings.compensate || ctx.samples.length < 2)
    return { model: pruned, report, figures: { proof: worst, rebuilt: 0, errorRemoved: 0 } };
  const made = await rebuilt(model, pruned, report, ctx);
  return { model: made.model, report, figures: { proof: worst, ...made.figures } };
}

/** The cut alone, unproved: what it takes is measured on it. */
export async function cutTo(
  model: Model,
  valued: Valued,
  goal: Goal,
  settings: PruneSettings,
  { fileBytes }: PruneContext,
) {
  const kept = chooseChannels(model, valued, goal, settings, fileBytes);
  const made = cut(model, valued.groups, kept);
  await inferTypes(made.model);
  return made;
}

async function rebuilt(
  model: Model,
  pruned: Model,
  report: readonly CutGroup[],
  ctx: PruneContext,
) {
  const { samples, threads, signal, seed } = ctx;
  const { model: made, layers } = await compensate(
    model,
    pruned,
    layerPairs(model, pruned, report),
    () => feedsOf(samples, ctx.binding),
    {
      images: samples.length,
      heldOut: Math.max(1, Math.round(samples.length / HELD_OUT)),
      patches: PATCHES,
      ...{ threads, signal, seed },
      progress: (done, doing) => ctx.progress(0.05 + 0.95 * done, doing),
    },
  );
  const changed = layers.filter((l) => l.ridge !== null);
  const removed = changed.map((l) => 1 - l.after / Math.max(l.before, Number.MIN_VALUE));
  const errorRemoved = removed.reduce((a, b) => a + b, 0) / Math.max(1, removed.length);
  return { model: made, figures: { rebuilt: changed.length, errorRemoved } };
}

const firstFeeds = ({ samples, binding }: PruneContext) =>
  Array.fromAsync(feedsOf(samples.slice(0, PROOF_IMAGES), binding));
