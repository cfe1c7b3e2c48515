/** @file One round: choose, cut, prove, rebuild. */

import type { Model } from '../onnx/graph.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { portion } from '../runtime/portion.ts';
import { feedsOf } from '../tasks/feed.ts';
import { chooseChannels, type Goal } from './choose.ts';
import { composeCuts } from './compose.ts';
import { confirmScores } from './confirm.ts';
import type { Group } from './coupling/groups.ts';
import { CRITERIA } from './criteria/registry.ts';
import { type CutGroup, cut } from './cut/cut.ts';
import { provePruned } from './cut/proof.ts';
import { type Reference, rebuild } from './rebuild.ts';
import type { PruneContext, PruneSettings, Round } from './settings.ts';
import type { Valued } from './value-groups.ts';

/** Real inputs on which every cut is proved. */
const PROOF_IMAGES = 2;
/** Shares of a round's time until scores are confirmed, and until rebuilding begins. */
const CONFIRMING = 0.25;
const CUTTING = 0.3;

/** What earlier rounds left. */
export interface RoundStart {
  readonly model: Model;
  readonly valued: Valued;
  readonly reference: Reference;
  /** Sizes of groups in the stage's input. */
  sizeOf(group: Group): number;
}

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
  { model, valued, reference, sizeOf }: RoundStart,
  goal: Goal,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<RoundResult> {
  const firm = confirms(settings)
    ? await confirmScores(model, valued, goal, settings, portion(ctx, 0, CONFIRMING), sizeOf)
    : valued;
  ctx.progress(CONFIRMING, 'cutting');
  const { model: pruned, report } = await cutTo(model, firm, goal, settings, ctx, sizeOf);
  const { worst } = await provePruned(model, pruned, report, await firstFeeds(ctx), ctx);
  const { model: rebuilt, ...figures } = await rebuild(
    settings.compensate,
    pruned,
    { model: reference.model, report: composeCuts([reference.report, report]) },
    valued.positions,
    portion(ctx, CUTTING, 1),
  );
  return { model: rebuilt, report, figures: { proof: worst, ...figures } };
}

/** The cut alone, unproved: what it takes is measured on it. */
export async function cutTo(
  model: Model,
  valued: Valued,
  goal: Goal,
  settings: PruneSettings,
  { fileBytes }: PruneContext,
  sizeOf?: (group: Group) => number,
) {
  const kept = chooseChannels(model, valued, goal, settings, fileBytes, sizeOf);
  const made = cut(model, valued.groups, kept);
  await inferTypes(made.model);
  return made;
}

/** A price per cost saved needs scores that compare between groups; what the other searches take does not hang on that. */
const confirms = ({ search, criterion }: PruneSettings): boolean =>
  search === 'greedy' && CRITERIA[criterion].needs === 'gradients';

const firstFeeds = ({ samples, binding }: PruneContext) =>
  Array.fromAsync(feedsOf(samples.slice(0, PROOF_IMAGES), binding));
