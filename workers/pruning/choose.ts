/** @file Which channels of a model stay, so that its cost falls to a goal. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Model } from '../onnx/graph.ts';
import { findGroups, type Group } from './coupling/groups.ts';
import { CRITERIA } from './criteria/registry.ts';
import { scoreGroups } from './criteria/score.ts';
import type { KeptChannels } from './cut/cut.ts';
import { type GradientsFrom, gradientsOf } from './gradients.ts';
import { chunkOf, floorOf, grainOf } from './multiples.ts';
import { protectedGroups } from './protect.ts';
import { CostModel, type Resource } from './search/cost-model.ts';
import { SEARCHES } from './search/registry.ts';
import type { Curve, Search } from './search/search.ts';
import { sensitivityCurves } from './sensitivity.ts';
import type { PruneContext, PruneSettings } from './settings.ts';

/** What a cost may end below its target, as a share of the input model's. */
const WINDOW = 0.02;

/** What is known of a model's groups before any decision. */
export interface Valued {
  readonly groups: readonly Group[];
  readonly scores: readonly Float64Array[];
  readonly gradientsFrom: GradientsFrom | null;
  readonly curves: readonly Curve[] | undefined;
}

/** Cost to reach, in units of the resource, and what 1 is of the input model. */
export interface Goal {
  readonly resource: Resource;
  readonly cost: number;
  readonly whole: number;
}

/** @throws what observing the images throws; PATTERN_MATCHES_NOTHING an entry of `protect` names nothing */
export async function valueGroups(
  model: Model,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Valued> {
  const groups = protectedGroups(findGroups(model).groups, settings.protect, model);
  const { criterion, normalization, gradientsFrom } = settings;
  const { threads, provider, signal, seed, binding, samples } = ctx;
  const runtime = { threads, provider, seed };
  const search: Search = SEARCHES[settings.search];
  const wanted = CRITERIA[criterion].needs === 'gradients' || search.needsCurves;
  const gradients = gradientsOf(
    wanted ? gradientsFrom : 'cotangents',
    ...[model, samples, binding, runtime],
  );
  const last = search.needsCurves ? 0.5 : 1;
  const found = await scoreGroups(model, groups, [criterion], {
    ...{ threads, provider, signal, seed, normalization },
    images: gradients.images(),
    source: gradients.source,
    onImage: (done) =>
      ctx.progress((last * done) / Math.max(1, samples.length), 'scoring channels'),
  });
  const scores = found[criterion];
  const curves = search.needsCurves
    ? await sensitivityCurves(model, groups, scores, gradients, {
        ...{ threads, provider, signal },
        progress: (done) => ctx.progress(last + (1 - last) * done, 'measuring sensitivity'),
      })
    : undefined;
  return { groups, scores, gradientsFrom: wanted ? gradients.from : null, curves };
}

/** @throws PRUNING_IMPOSSIBLE the goal is beyond what may go, with the least share that can be had */
export function chooseChannels(
  model: Model,
  { groups, scores, curves }: Valued,
  goal: Goal,
  settings: PruneSettings,
  fileBytes: number,
): KeptChannels {
  const cost = new CostModel(model, groups, goal.resource, fileBytes);
  const { multipleOf, target } = settings;
  const measured = 'speedup' in target || 'latencyMs' in target;
  const gone = SEARCHES[settings.search].remove({
    ...{ groups, scores, cost, curves },
    goal: goal.cost,
    slack: WINDOW * goal.whole,
    chunk: chunkOf(multipleOf, measured),
    grain: grainOf(multipleOf, measured),
    floor: floorOf(goal.cost / cost.total),
  });
  if (cost.cost > goal.cost)
    throw new ServiceError('PRUNING_IMPOSSIBLE', {
      resource: goal.resource,
      wanted: goal.cost / goal.whole,
      least: cost.cost / goal.whole,
    });
  return keptOf(groups, gone);
}

function keptOf(
  groups: readonly Group[],
  gone: readonly (readonly number[])[],
): Map<string, readonly number[]> {
  return new Map(
    groups.flatMap(({ id, size }, i) => {
      if (gone[i]!.length === 0) return [];
      const out = new Set(gone[i]);
      return [[id, Array.from({ length: size }, (_, c) => c).filter((c) => !out.has(c))] as const];
    }),
  );
}
