/** @file Pruning of single weights: shapes stay, zeros are written. */

import { gzipSync } from 'node:zlib';
import { ServiceError } from '../../../src/contract/errors.ts';
import { cloneModel } from '../../onnx/clone.ts';
import { countMacs, countParams } from '../../onnx/cost.ts';
import type { Model } from '../../onnx/graph.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { floatsOf } from '../../onnx/values.ts';
import { writeModel } from '../../onnx/write.ts';
import { portion } from '../../runtime/portion.ts';
import type { PruneContext, Pruned, PruneSettings, Round } from '../settings.ts';
import { pruneWithin } from '../targets/budget.ts';
import { type SparseLayer, sparseLayers } from './layers.ts';
import { masked } from './masks.ts';
import { type Masks, ones, PATTERNS, type PatternName, type Scored } from './patterns.ts';
import type { Sparsity } from './sparsity.ts';
import { scoreOfWeights, weightScores } from './weight-scores.ts';

type Resource = 'macs' | 'params';

/** Share of a round's time until its weights are scored. */
const SCORING = 0.9;
/** gzip: the fastest level tells zeros from weights as well as the slowest. */
const LEVEL = 1;

/**
 * Zeros are no time saved on this runtime, so a target is a share of the weights or of the products with them, or a drop that is allowed.
 *
 * @throws OPTIONS_CONFLICT a target that zeros do not move, a criterion that judges channels
 * @throws PRUNING_IMPOSSIBLE the pattern leaves more than the target
 */
export function sparsifyModel(
  model: Model,
  pattern: PatternName,
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Pruned> {
  scoreOfWeights(settings.criterion);
  const { target } = settings;
  if ('maxDrop' in target)
    return pruneWithin(model, target.maxDrop, ctx, (share, own) =>
      sparsifyTo(model, pattern, { resource: 'params', share }, settings, own),
    );
  if (!('share' in target) || target.resource === 'bytes') throw unmoved(pattern, target);
  const { resource, share } = target;
  return sparsifyTo(model, pattern, { resource, share }, settings, ctx);
}

const unmoved = (pattern: PatternName, target: object) =>
  new ServiceError('OPTIONS_CONFLICT', {
    options: ['target', 'granularity'],
    why: `'${pattern}' writes zeros, which change neither time nor the file's size: its target is params, macs or maxDrop, not ${Object.keys(target).includes('share') ? 'bytes' : Object.keys(target)[0]}`,
  });

/** The share is of the layers' weights, biases and norms left out. Of K rounds every one leaves the same factor; what is zero stays zero. */
async function sparsifyTo(
  original: Model,
  pattern: PatternName,
  { resource, share }: { readonly resource: Resource; readonly share: number },
  settings: PruneSettings,
  ctx: PruneContext,
): Promise<Pruned> {
  const count = settings.rounds === 'auto' ? 1 : settings.rounds;
  const model = cloneModel(original);
  const found = sparseLayers(model, settings.protect);
  const layers = found.filter((layer) => pattern !== '2:4' || inFours(layer));
  const rounds: Round[] = [];
  let gradientsFrom: Pruned['gradientsFrom'] = null;
  for (let k = 1; k <= count; k++) {
    ctx.signal.throwIfAborted();
    const own = portion(ctx, (k - 1) / count, (k - 1 + SCORING) / count);
    const reached = share ** (k / count);
    const valued = await weightScores(model, original, layers, settings, own);
    gradientsFrom = valued.gradientsFrom;
    const all = layers.map((layer, i) => ({ layer, scores: zerosFirst(layer, valued.scores[i]!) }));
    write(all, masksFor(all, pattern, resource, k === count ? share : reached));
    rounds.push({ share: reached, proof: 0, rebuilt: 0, errorRemoved: 0 });
    await ctx.afterRound?.(model, k);
  }
  const sparsity = describe(original, model, pattern, layers);
  return {
    ...{ model, groups: [], gradientsFrom, rounds, refused: leftOut(found, layers), sparsity },
    shares: sharesOf(original, layers),
  };
}

/** What is zero has gone. */
function zerosFirst({ weight }: SparseLayer, scores: Float64Array): Float64Array {
  const values = floatsOf(weight.constant!);
  return scores.map((s, i) => (values[i] === 0 ? 0 : s));
}

/** @param share of what all the layers' weights cost that is left */
function masksFor(
  all: readonly Scored[],
  pattern: PatternName,
  resource: Resource,
  share: number,
): Masks {
  const weigh = weighing(resource);
  const total = all.reduce((sum, { layer, scores }) => sum + weigh(layer) * scores.length, 0);
  const masks = PATTERNS[pattern].masks(all, weigh, share * total);
  const left = all.reduce((sum, { layer, scores }, i) => {
    const mask = masks[i];
    return sum + weigh(layer) * (mask ? ones(mask) : scores.length);
  }, 0);
  if (left > share * total * (1 + 1e-9) || all.length === 0)
    throw new ServiceError('PRUNING_IMPOSSIBLE', {
      ...{ resource: `${resource} (${pattern})`, wanted: share },
      least: all.length === 0 ? 1 : left / total,
    });
  return masks;
}

const weighing =
  (resource: Resource) =>
  ({ macsPerWeight }: SparseLayer): number =>
    resource === 'macs' ? macsPerWeight : 1;

function write(all: readonly Scored[], masks: Masks): void {
  for (const [i, { layer }] of all.entries()) {
    const mask = masks[i];
    const { dims } = layer.weight.constant!;
    if (mask)
      layer.weight.constant = Tensor.float32(dims, masked(floatsOf(layer.weight.constant!), mask));
  }
}

/** Costs of what is not zero, as shares of the input model's. */
function sharesOf(original: Model, layers: readonly SparseLayer[]): Pruned['shares'] {
  const gone = (weigh: (layer: SparseLayer) => number) =>
    layers.reduce((sum, layer) => sum + weigh(layer) * zerosIn(layer), 0);
  return {
    macs: 1 - gone(weighing('macs')) / countMacs(original),
    params: 1 - gone(weighing('params')) / countParams(original),
  };
}

const zerosIn = ({ weight }: SparseLayer): number =>
  floatsOf(weight.constant!).reduce((n, w) => n + (w === 0 ? 1 : 0), 0);

function describe(
  original: Model,
  model: Model,
  pattern: PatternName,
  layers: readonly SparseLayer[],
): Sparsity {
  const each = layers.map((layer) => {
    const { name, constant } = layer.weight;
    return { tensor: name, size: constant!.size, zeros: zerosIn(layer) };
  });
  const packed = (m: Model) => gzipSync(writeModel(m), { level: LEVEL }).length;
  return {
    pattern,
    weights: each.reduce((n, l) => n + l.size, 0),
    zeros: each.reduce((n, l) => n + l.zeros, 0),
    layers: each,
    compressedBytes: { before: packed(original), after: packed(model) },
  };
}

const inFours = ({ weight, axis }: SparseLayer) => weight.constant!.dims[axis]! % 4 === 0;

function leftOut(found: readonly SparseLayer[], layers: readonly SparseLayer[]): Pruned['refused'] {
  return found
    .filter((layer) => !layers.includes(layer))
    .map(({ weight, axis }) => ({
      tensor: weight.name,
      reason: `it sums over ${weight.constant!.dims[axis]} numbers, no multiple of 4: kernels for 2:4 could not run it`,
    }));
}
