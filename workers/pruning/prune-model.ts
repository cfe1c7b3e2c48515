/** @file Pruning a model: score, search, cut, prove, rebuild, in as many rounds as asked for. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Sample } from '../data/dataset.ts';
import { ahead } from '../data/parallel.ts';
import { countMacs, countParams } from '../onnx/cost.ts';
import type { Model } from '../onnx/graph.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { sampleFeed } from '../tasks/feed.ts';
import type { TaskBinding } from '../tasks/task.ts';
import { compensate } from './compensation/compensate.ts';
import { layerPairs } from './compensation/pairs.ts';
import { composeCuts } from './compose.ts';
import { findGroups, type Group } from './coupling/groups.ts';
import { prepareForPruning } from './coupling/prepare.ts';
import type { Normalization } from './criteria/normalize.ts';
import { CRITERIA, type CriterionName } from './criteria/registry.ts';
import { scoreGroups } from './criteria/score.ts';
import { type CutGroup, cut } from './cut/cut.ts';
import { provePruned } from './cut/proof.ts';
import { type Gradients, type GradientsFrom, gradientsOf } from './gradients.ts';
import { chunkOf, floorOf } from './multiples.ts';
import { protectedGroups } from './protect.ts';
import { CostModel, type Resource } from './search/cost-model.ts';
import { SEARCHES, type SearchName } from './search/registry.ts';

export interface PruneSettings {
  readonly resource: Resource;
  /** Share of the input model's cost that is kept, at most. */
  readonly share: number;
  readonly criterion: CriterionName;
  readonly normalization: Normalization;
  readonly gradientsFrom: GradientsFrom | 'auto';
  readonly search: SearchName;
  readonly compensate: boolean;
  readonly rounds: number;
  readonly protect: readonly string[];
  readonly multipleOf: number | 'auto';
  /** Whether widths should suit the runtime rather than the count. */
  readonly measured: boolean;
  /** Calibration images. */
  readonly images: number;
}

export interface PruneContext {
  readonly binding: TaskBinding;
  readonly samples: readonly Sample[];
  readonly fileBytes: number;
  readonly seed: number;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  progress(done: number, doing: string): void;
  /** Between rounds: train a little. */
  afterRound?(model: Model, round: number): Promise<void>;
}

export interface Round {
  readonly share: number;
  /** Largest difference of the cut from the masked original, as a share of its part's scale. */
  readonly proof: number;
  /** Layers rebuilt, and the mean share of held-out error that rebuilding took away. */
  readonly rebuilt: number;
  readonly errorRemoved: number;
}

export interface Pruned {
  readonly model: Model;
  readonly groups: readonly CutGroup[];
  readonly gradientsFrom: GradientsFrom | null;
  readonly rounds: readonly Round[];
  readonly shares: { readonly macs: number; readonly params: number };
  readonly refused: readonly { readonly tensor: string; readonly reason: string }[];
}

/** Real inputs on which every cut is proved. */
const PROOF_IMAGES = 2;
const PATCHES = 16_000;
/** One in this many calibration images chooses ridges. */
const HELD_OUT = 5;

/**
 * The share of round k of K is 1 − (1 − share)^… such that every round takes the same factor: share^(k/K).
 *
 * @throws PRUNING_IMPOSSIBLE the target is beyond what may go, with the least share that can be had
 */
export async function pruneModel(
  given: Model,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Pruned> {
  const original = await prepareForPruning(given);
  const total = { macs: countMacs(original), params: countParams(original) };
  const { groups, refused } = findGroups(original);
  const goal =
    settings.share * new CostModel(original, groups, settings.resource, ctx.fileBytes).total;
  let model = original;
  let from: GradientsFrom | null = null;
  const rounds: Round[] = [];
  const reports: (readonly CutGroup[])[] = [];
  for (let k = 1; k <= settings.rounds; k++) {
    ctx.signal.throwIfAborted();
    const tell = (done: number, doing: string) =>
      ctx.progress(
        (k - 1 + done) / settings.rounds,
        settings.rounds > 1 ? `round ${k}: ${doing}` : doing,
      );
    const share = settings.share ** (k / settings.rounds);
    const roundGoal = goal * (share / settings.share);
    const made = await round(
      model,
      original,
      roundGoal,
      settings,
      { ...ctx, progress: tell },
      k === settings.rounds,
    );
    from = made.from;
    model = made.model;
    reports.push(made.report);
    rounds.push({ ...made.figures, share });
    await ctx.afterRound?.(model, k);
  }
  await inferTypes(model);
  return {
    model,
    groups: composeCuts(reports),
    gradientsFrom: from,
    rounds,
    shares: { macs: countMacs(model) / total.macs, params: countParams(model) / total.params },
    refused: refused.map(({ value, reason }) => ({ tensor: value.name, reason })),
  };
}

async function round(
  model: Model,
  original: Model,
  goal: number,
  settings: PruneSettings,
  ctx: PruneContext,
  isLast: boolean,
) {
  const { groups: all } = findGroups(model);
  const groups = protectedGroups(all, settings.protect, model);
  const samples = ctx.samples.slice(0, settings.images);
  const { scores, gradients } = await scored(model, groups, samples, settings, ctx);
  const kept = search(model, groups, scores, goal, settings, ctx.fileBytes);
  ctx.progress(0.4, 'cutting');
  const { model: pruned, report } = cut(model, groups, kept);
  await inferTypes(pruned);
  const feeds = await firstFeeds(samples, ctx.binding);
  const { worst } = await provePruned(model, pruned, report, feeds, ctx);
  const figures = { proof: worst, rebuilt: 0, errorRemoved: 0 };
  const from = gradients?.from ?? null;
  void original;
  void isLast;
  if (!settings.compensate || samples.length < 2) return { model: pruned, report, figures, from };
  const { model: rebuilt, layers } = await compensate(
    model,
    pruned,
    layerPairs(model, pruned, report),
    () => feedsOf(samples, ctx.binding),
    {
      images: samples.length,
      heldOut: Math.max(1, Math.round(samples.length / HELD_OUT)),
      patches: PATCHES,
      threads: ctx.threads,
      signal: ctx.signal,
      seed: ctx.seed,
      progress: (done, doing) => ctx.progress(0.45 + 0.55 * done, doing),
    },
  );
  const changed = layers.filter((l) => l.ridge !== null);
  const removed = changed.map((l) => 1 - l.after / Math.max(l.before, 1e-30));
  const errorRemoved = removed.reduce((a, b) => a + b, 0) / Math.max(1, removed.length);
  return {
    model: rebuilt,
    report,
    from,
    figures: { ...figures, rebuilt: changed.length, errorRemoved },
  };
}

async function scored(
  model: Model,
  groups: readonly Group[],
  samples: readonly Sample[],
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<{ scores: Float64Array[]; gradients: Gradients | undefined }> {
  const { criterion, normalization } = settings;
  const { needs } = CRITERIA[criterion];
  const { threads, provider, signal, seed, binding } = ctx;
  const gradients =
    needs === 'gradients'
      ? gradientsOf(settings.gradientsFrom, model, samples, binding, { threads, provider, seed })
      : undefined;
  const none = gradientsOf('cotangents', model, samples, binding, { threads, provider, seed });
  const found = await scoreGroups(model, groups, [criterion], {
    ...{ threads, provider, signal, seed, normalization },
    images: (gradients ?? none).images(),
    source: gradients?.source,
    onImage: (done) => ctx.progress((0.4 * done) / Math.max(1, samples.length), 'scoring channels'),
  });
  return { scores: found[criterion], gradients };
}

function search(
  model: Model,
  groups: readonly Group[],
  scores: readonly Float64Array[],
  goal: number,
  { resource, search: name, multipleOf, measured }: PruneSettings,
  fileBytes: number,
): Map<string, readonly number[]> {
  const cost = new CostModel(model, groups, resource, fileBytes);
  const chunk = chunkOf(multipleOf, measured);
  const floor = floorOf(goal / cost.total);
  const gone = SEARCHES[name].remove({ groups, scores, cost, goal, chunk, floor });
  if (cost.cost > goal)
    throw new ServiceError('PRUNING_IMPOSSIBLE', {
      resource,
      wanted: goal / cost.total,
      least: cost.cost / cost.total,
    });
  return new Map(
    groups.flatMap((group, i) => {
      if (gone[i]!.length === 0) return [];
      const out = new Set(gone[i]);
      const stay = Array.from({ length: group.size }, (_, c) => c).filter((c) => !out.has(c));
      return [[group.id, stay] as const];
    }),
  );
}

async function* feedsOf(samples: readonly Sample[], binding: TaskBinding) {
  for await (const { feeds } of ahead(samples, 3, (s) => sampleFeed(s, binding))) yield feeds;
}

async function firstFeeds(samples: readonly Sample[], binding: TaskBinding) {
  const found = [];
  for await (const feeds of feedsOf(samples.slice(0, PROOF_IMAGES), binding)) found.push(feeds);
  return found;
}
