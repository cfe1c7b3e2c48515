/** @file Rebuilding what a cut left, in one of two ways. */

import type { Model } from '../onnx/graph.ts';
import { feedsOf } from '../tasks/feed.ts';
import { compensate } from './compensation/compensate.ts';
import { compensateChannels } from './compensation/compensate-channels.ts';
import { layerPairs } from './compensation/pairs.ts';
import type { Positions } from './compensation/positions.ts';
import type { CutGroup } from './cut/cut.ts';
import type { Compensation, PruneContext, Round } from './settings.ts';

/** Output positions of a layer that are sampled per image, and over all: the trial in which more did not help. */
const PATCHES = { each: 125, least: 8000, most: 16_000 };

export const patchesOver = (images: number): number =>
  Math.min(PATCHES.most, Math.max(PATCHES.least, PATCHES.each * images));

/** One in this many calibration images chooses ridges. */
const HELD_OUT = 5;

const WAYS = { patches: compensate, channels: compensateChannels } as const satisfies Record<
  Compensation,
  unknown
>;

/** Whose outputs the rebuilt layers are to give. */
export interface Reference {
  readonly model: Model;
  /** All cuts since, told as one. */
  readonly report: readonly CutGroup[];
}

/**
 * @param way false, or fewer than two images: the model stays as it was cut
 * @returns the rebuilt model; how many layers changed, and the mean share of held-out error that this took away
 */
export async function rebuild(
  way: Compensation | false,
  pruned: Model,
  { model: original, report }: Reference,
  positions: Positions | undefined,
  ctx: PruneContext,
): Promise<{ readonly model: Model } & Pick<Round, 'rebuilt' | 'errorRemoved'>> {
  const { samples, binding, threads, signal, seed } = ctx;
  if (way === false || samples.length < 2) return { model: pruned, rebuilt: 0, errorRemoved: 0 };
  const { model, layers } = await WAYS[way](
    original,
    pruned,
    layerPairs(original, pruned, report),
    () => feedsOf(samples, binding),
    {
      images: samples.length,
      heldOut: Math.max(1, Math.round(samples.length / HELD_OUT)),
      patches: patchesOver(samples.length),
      ...{ threads, signal, seed },
      ...(positions && { positions }),
      progress: (done, doing) => ctx.progress(done, doing),
    },
  );
  const changed = layers.filter((l) => l.ridge !== null);
  const removed = changed.map((l) => 1 - l.after / Math.max(l.before, Number.MIN_VALUE));
  const errorRemoved = removed.reduce((a, b) => a + b, 0) / Math.max(1, removed.length);
  return { model, rebuilt: changed.length, errorRemoved };
}
