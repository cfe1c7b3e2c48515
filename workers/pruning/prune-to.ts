/** @file Pruning to a share of a cost, in as many rounds as asked for, with fresh scores before each. */

import { countMacs, countParams } from '../onnx/cost.ts';
import type { Model } from '../onnx/graph.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { type Valued, valueGroups } from './choose.ts';
import { composeCuts } from './compose.ts';
import { findGroups } from './coupling/groups.ts';
import type { CutGroup } from './cut/cut.ts';
import { pruneOnce } from './round.ts';
import { COSTS, type Resource } from './search/cost-terms.ts';
import type { PruneContext, Pruned, PruneSettings, Round } from './settings.ts';

/** Share of a round's time until all is known of its groups. */
const VALUING = 0.4;

/** The input model, ready to be cut, and what it said of its groups: any number of cuts can begin with it. */
export interface Start {
  readonly model: Model;
  readonly valued: Valued;
}

/**
 * Of K rounds every one takes the same factor: after round k the cost is share^(k/K) of the input model's.
 *
 * @throws PRUNING_IMPOSSIBLE the target is beyond what may go, with the least share that can be had
 */
export async function pruneTo(
  { model: original, valued: first }: Start,
  resource: Resource,
  share: number,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Pruned> {
  const { total: whole } = COSTS[resource](original, ctx.fileBytes);
  const rounds: Round[] = [];
  const reports: (readonly CutGroup[])[] = [];
  let model = original;
  for (let k = 1; k <= settings.rounds; k++) {
    ctx.signal.throwIfAborted();
    const own = { ...ctx, progress: tellRound(k, settings.rounds, ctx) };
    const valued = k === 1 ? first : await valueGroups(model, settings, portion(own, 0, VALUING));
    const reached = share ** (k / settings.rounds);
    const goal = { resource, cost: reached * whole, whole };
    const made = await pruneOnce(model, valued, goal, settings, portion(own, VALUING, 1));
    model = made.model;
    reports.push(made.report);
    rounds.push({ share: reached, ...made.figures });
    await ctx.afterRound?.(model, k);
  }
  await inferTypes(model);
  const { refused } = findGroups(original);
  return {
    model,
    groups: composeCuts(reports),
    gradientsFrom: first.gradientsFrom,
    rounds,
    shares: {
      macs: countMacs(model) / countMacs(original),
      params: countParams(model) / countParams(original),
    },
    refused: refused.map(({ value, reason }) => ({ tensor: value.name, reason })),
    ...(first.curves && { sensitivity: first.curves }),
  };
}

const tellRound =
  (k: number, rounds: number, ctx: PruneContext): PruneContext['progress'] =>
  (done, doing) =>
    ctx.progress((k - 1 + done) / rounds, rounds > 1 ? `round ${k}: ${doing}` : doing);

/** The same context, whose progress runs from one share of the whole to another. */
export const portion = (ctx: PruneContext, from: number, to: number): PruneContext => ({
  ...ctx,
  progress: (done, doing) => ctx.progress(from + (to - from) * done, doing),
});
