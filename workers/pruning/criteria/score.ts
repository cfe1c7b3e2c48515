/** @file Importance of every channel of every group, for any number of criteria, from one pass over the images. */

import type { Model } from '../../onnx/graph.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import type { Group } from '../coupling/groups.ts';
import type { Criterion, Watch } from './criterion.ts';
import { NORMALIZATIONS, type Normalization } from './normalize.ts';
import { type ObserveOptions, observe } from './observe/observe.ts';
import type { Observer } from './observe/reductions.ts';
import { CRITERIA, type CriterionName } from './registry.ts';

export interface ScoreOptions extends ObserveOptions {
  readonly seed: number;
  readonly normalization: Normalization;
  /** Others who look on while the images pass by. */
  readonly beside?: readonly Observer[];
}

/**
 * @param groups of `model`, whose values they name
 * @returns per criterion and group, one score per channel: the lowest is to go first
 * @throws what `observe` throws
 */
export async function scoreGroups<N extends CriterionName>(
  model: Model,
  groups: readonly Group[],
  criteria: readonly N[],
  options: ScoreOptions,
): Promise<Record<N, Float64Array[]>> {
  const index = new GraphIndex(model.graph);
  const { seed } = options;
  const watches = new Map<N, readonly Watch[]>(
    criteria.map((name) => {
      const criterion: Criterion = CRITERIA[name];
      return [name, groups.map((group) => criterion.watch({ group, index, seed }))];
    }),
  );
  const all: readonly Observer[] = [...[...watches.values()].flat(), ...(options.beside ?? [])];
  const watching = all.filter(({ taps }) => taps.length > 0);
  const taps = watching.flatMap((watch) => watch.taps);
  if (taps.length > 0)
    await observe(model, taps, options, (seen, image) => {
      for (const watch of watching) watch.see?.(watch.taps.map(seen), image);
    });
  const normalize = NORMALIZATIONS[options.normalization];
  const scores = [...watches].map(([name, each]) => [
    name,
    each.map((watch) => normalize(watch.scores())),
  ]);
  return Object.fromEntries(scores) as Record<N, Float64Array[]>;
}
