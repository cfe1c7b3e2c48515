/** @file Which channels of a model stay, so that its cost falls to a goal. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Model } from '../onnx/graph.ts';
import type { Group } from './coupling/groups.ts';
import type { KeptChannels } from './cut/cut.ts';
import { chunkOf, floorOf, grainOf, type Sizes } from './multiples.ts';
import { others } from './others.ts';
import { CostModel, type Resource } from './search/cost-model.ts';
import { SEARCHES } from './search/registry.ts';
import { TimeModel } from './search/time-model.ts';
import type { PruneSettings } from './settings.ts';
import type { Valued } from './value-groups.ts';

/** What a cost may end below its target, as a share of the input model's. */
const WINDOW = 0.02;
/** Where floors forbid a target they are those of a lower one. */
const FLOORS = [1, 0.5, 0.25];

/** Cost to reach, in units of the resource, and what 1 is of the input model. */
export interface Goal {
  readonly resource: Resource;
  readonly cost: number;
  readonly whole: number;
  /** Cost that later cuts will reach; default: this is the last one. */
  readonly final?: number;
}

/**
 * @param sizeOf how large a group was in the stage's input: steps and floors go by that
 * @throws PRUNING_IMPOSSIBLE the goal is beyond what may go, with the least share that can be had
 */
export function chooseChannels(
  model: Model,
  { groups, scores, curves, times }: Valued,
  goal: Goal,
  settings: PruneSettings,
  fileBytes: number,
  sizeOf: (group: Group) => number = ({ size }) => size,
): KeptChannels {
  const { multipleOf, target, granularity } = settings;
  const measured = 'speedup' in target || 'latencyMs' in target;
  const { cost: wanted, whole, final = wanted } = goal;
  const of = (rule: (group: Sizes) => number) => (group: Group) =>
    granularity === 'head' ? group.unit : rule({ size: sizeOf(group), unit: group.unit });
  let least = 1;
  for (const part of FLOORS) {
    const cost = new CostModel(model, goal.resource, fileBytes);
    const gone = SEARCHES[settings.search].remove({
      ...{ groups, scores, cost, curves, times: times && new TimeModel(times) },
      goal: wanted,
      slack: wanted - final + WINDOW * whole,
      chunk: of(chunkOf(multipleOf, measured)),
      grain: of(grainOf(multipleOf, measured)),
      floor: of(floorOf((part * final) / whole)),
    });
    if (cost.cost <= wanted) return keptOf(groups, gone);
    least = cost.cost / whole;
  }
  const facts = { resource: goal.resource, wanted: final / whole, least };
  throw new ServiceError('PRUNING_IMPOSSIBLE', facts);
}

function keptOf(
  groups: readonly Group[],
  gone: readonly (readonly number[])[],
): Map<string, readonly number[]> {
  return new Map(
    groups.flatMap(({ id, size }, i) => {
      if (gone[i]!.length === 0) return [];
      return [[id, others(size, gone[i]!)] as const];
    }),
  );
}
