/** @file Pruning to a share of a cost, in as many rounds as asked for, with fresh scores before each. */

import type { Model } from '../onnx/graph.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { portion } from '../runtime/portion.ts';
import { composeCuts } from './compose.ts';
import { findGroups } from './coupling/groups.ts';
import type { CutGroup } from './cut/cut.ts';
import { originalSizes } from './origins.ts';
import type { Reference } from './rebuild.ts';
import { pruneOnce } from './round.ts';
import { roundsTo } from './schedule.ts';
import { COSTS, type Resource } from './search/cost-terms.ts';
import type { PruneContext, Pruned, PruneSettings, Round } from './settings.ts';
import { sharesOf } from './shares.ts';
import { type Valued, valueGroups } from './value-groups.ts';

/** Share of a round's time until all is known of its groups. */
const VALUING = 0.4;

const PLENTY = 32;

/** The input model, ready to be cut, and what it said of its groups: any number of cuts can begin with it. */
export interface Start {
  readonly model: Model;
  readonly valued: Valued;
}

/**
 * Of K rounds every one takes the same factor: after round k the cost is share^(k/K) of the input model's. Layers are rebuilt to give
 * what the input model gave, however many rounds came between; after training, what the trained model gave.
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
  const count = roundsTo(share, settings, ctx);
  const rounds: Round[] = [];
  let model = original;
  let reference: Reference = { model, report: [] };
  let report: readonly CutGroup[] = [];
  for (let k = 1; k <= count; k++) {
    ctx.signal.throwIfAborted();
    const all = { ...ctx, progress: tellRound(k, count, ctx) };
    const own = k > 1 && k < count ? { ...all, samples: everyOther(ctx.samples) } : all;
    const valued =
      k === 1 ? first : await valueGroups(model, original, settings, portion(own, 0, VALUING));
    const reached = share ** (k / count);
    const goal = { resource, cost: reached * whole, whole, final: share * whole };
    const sizeOf = originalSizes(first.groups, report);
    const start = { model, valued, reference, sizeOf };
    const made = await pruneOnce(start, goal, settings, portion(own, VALUING, 1));
    model = made.model;
    report = composeCuts([report, made.report]);
    const training = await ctx.afterRound?.(model, k);
    rounds.push({ share: reached, ...made.figures, ...(training && { training }) });
    reference = ctx.afterRound
      ? { model, report: [] }
      : { ...reference, report: composeCuts([reference.report, made.report]) };
  }
  await inferTypes(model);
  return {
    ...{ model, groups: report, rounds, gradientsFrom: first.gradients?.from ?? null },
    ...sharesAndRefusals(original, model),
    ...(first.curves && { sensitivity: first.curves }),
  };
}

function sharesAndRefusals(original: Model, model: Model): Pick<Pruned, 'shares' | 'refused'> {
  const { refused } = findGroups(original);
  return {
    shares: sharesOf(original, model),
    refused: refused.map(({ value, reason }) => ({ tensor: value.name, reason })),
  };
}

/** Rounds between the first and the last make do with half of the images where that is plenty: their work is done over. */
const everyOther = (samples: PruneContext['samples']): PruneContext['samples'] =>
  samples.length < 2 * PLENTY ? samples : samples.filter((_, i) => i % 2 === 0);

const tellRound =
  (k: number, rounds: number, ctx: PruneContext): PruneContext['progress'] =>
  (done, doing) =>
    ctx.progress((k - 1 + done) / rounds, rounds > 1 ? `round ${k}: ${doing}` : doing);
