/** @file Low-rank factorization: layers become chains of narrower ones, until a cost is met. */

import { setImmediate } from 'node:timers/promises';
import { ServiceError } from '../../../../src/contract/errors.ts';
import { countMacs, countParams } from '../../../onnx/cost.ts';
import { type Model, nodeLabel } from '../../../onnx/graph.ts';
import { inferTypes } from '../../../runtime/infer-types.ts';
import { portion } from '../../../runtime/portion.ts';
import { feedsOf } from '../../../tasks/feed.ts';
import { compensate } from '../../compensation/compensate.ts';
import { layerPairs } from '../../compensation/pairs.ts';
import { prepareForPruning } from '../../coupling/prepare.ts';
import { provePruned } from '../../cut/proof.ts';
import { patchesOver } from '../../rebuild.ts';
import type { Resource } from '../../search/cost-model.ts';
import type { PruneContext } from '../../settings.ts';
import { sharesOf } from '../../shares.ts';
import { type Factorizable, factorizableLayers, type LeftWhole } from './layers.ts';
import {
  type Costing,
  RANK_RULES,
  type RankRuleName,
  savedBy,
  wholeOf,
  withoutExcess,
} from './ranks.ts';
import { type Decision, writeFactors, writeProducts } from './write.ts';

const BYTES = 4;
const PROOF_IMAGES = 2;
/** One in this many calibration images chooses ridges. */
const HELD_OUT = 5;
/** Shares of the time until layers are decomposed, and until the result is proved. */
const [DECOMPOSED, PROVED] = [0.5, 0.6];

export interface FactorizeSettings {
  readonly resource: Resource;
  readonly share: number;
  readonly rank: RankRuleName;
  readonly compensate: boolean;
  readonly protect: readonly string[];
}

/** What became of one layer. */
export interface FactorizedLayer {
  readonly node: string;
  readonly form: string;
  readonly ranks: readonly number[];
  /** Share of the weight's squared norm that is kept. */
  readonly energy: number;
  readonly macs: { readonly before: number; readonly after: number };
  readonly params: { readonly before: number; readonly after: number };
}

export interface Factorized {
  readonly model: Model;
  readonly layers: readonly FactorizedLayer[];
  readonly refused: readonly LeftWhole[];
  readonly shares: { readonly macs: number; readonly params: number };
  /** Largest difference from the full model with the same weights multiplied out, as a share of its part's scale. */
  readonly proof: number;
  readonly rebuilt: number;
  readonly changes: { readonly latency: true; readonly fileBytes: true };
}

/**
 * @throws PRUNING_IMPOSSIBLE the least ranks are still more than the target
 * @throws INTERNAL the chains are not what their products are
 * @throws PATTERN_MATCHES_NOTHING
 */
export async function factorizeModel(
  given: Model,
  settings: FactorizeSettings,
  ctx: PruneContext,
): Promise<Factorized> {
  const model = await prepareForPruning(given);
  const cost = COST_OF[settings.resource];
  const own = portion(ctx, 0, DECOMPOSED);
  const { found, refused } = await factorizableLayers(
    model,
    settings.protect,
    cost,
    async (done) => {
      own.progress(done, 'decomposing layers');
      ctx.signal.throwIfAborted();
      await setImmediate();
    },
  );
  const decisions = decide(model, found, settings, ctx.fileBytes);
  const factored = writeFactors(model, decisions);
  await inferTypes(factored);
  const products = writeProducts(model, decisions);
  const feeds = await Array.fromAsync(feedsOf(ctx.samples.slice(0, PROOF_IMAGES), ctx.binding));
  ctx.progress(DECOMPOSED, 'proving');
  const { worst } = await provePruned(products, factored, [], feeds, ctx);
  const made = await rebuilt(model, factored, decisions, settings, portion(ctx, PROVED, 1));
  return {
    ...{ model: made.model, rebuilt: made.rebuilt, refused, proof: worst },
    layers: decisions.map(described),
    shares: sharesOf(model, factored),
    changes: { latency: true, fileBytes: true },
  };
}

const COST_OF: Readonly<Record<Resource, Costing['cost']>> = {
  macs: ({ macs }) => macs,
  params: ({ params }) => params,
  bytes: ({ params }) => BYTES * params,
};

function decide(
  model: Model,
  layers: readonly Factorizable[],
  { resource, share, rank }: FactorizeSettings,
  fileBytes: number,
): Decision[] {
  const total = { macs: countMacs(model), params: countParams(model), bytes: fileBytes }[resource];
  const costing = { cost: COST_OF[resource], save: (1 - share) * total };
  const choice = withoutExcess(layers, RANK_RULES[rank](layers, costing), costing);
  const saved = savedBy(layers, choice, costing);
  if (saved < costing.save)
    throw new ServiceError('PRUNING_IMPOSSIBLE', {
      ...{ resource: `${resource} (factorize)`, wanted: share },
      least: 1 - saved / total,
    });
  return layers.flatMap((of, i) => {
    const candidate = choice[i];
    return candidate ? [{ of, candidate }] : [];
  });
}

function described({ of, candidate }: Decision): FactorizedLayer {
  const { form, ranks, lost } = candidate;
  const before = wholeOf(of);
  return {
    ...{ node: nodeLabel(of.layer.node), form, ranks, energy: 1 - lost },
    macs: { before: before.macs, after: candidate.macs },
    params: { before: before.params, after: candidate.params },
  };
}

/** The last part of every chain, and what follows, fitted to what the full layers gave. */
async function rebuilt(
  model: Model,
  factored: Model,
  decisions: readonly Decision[],
  settings: FactorizeSettings,
  { samples, binding, threads, signal, seed, progress }: PruneContext,
): Promise<{ readonly model: Model; readonly rebuilt: number }> {
  if (!settings.compensate || samples.length < 2) return { model: factored, rebuilt: 0 };
  const chained = new Set(decisions.map((d) => d.of.layer.node.outputs[0]!.name));
  const pairs = layerPairs(model, factored, []).map((pair) =>
    // What goes into a chain's last part is no channel of the full layer's.
    chained.has(pair.pruned.outputs[0]!.name) ? { ...pair, keptInputs: undefined } : pair,
  );
  const { model: made, layers } = await compensate(
    model,
    factored,
    pairs,
    () => feedsOf(samples, binding),
    {
      images: samples.length,
      heldOut: Math.max(1, Math.round(samples.length / HELD_OUT)),
      patches: patchesOver(samples.length),
      ...{ threads, signal, seed, progress },
    },
  );
  return { model: made, rebuilt: layers.filter((l) => l.ridge !== null).length };
}
