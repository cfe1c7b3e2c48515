/** @file The cheap compensation of a whole network: one pass over the original, one small regression per layer. */

import type { Model } from '../../onnx/graph.ts';
import { observe } from '../criteria/observe/observe.ts';
import type { Tap } from '../criteria/observe/reductions.ts';
import { others } from '../others.ts';
import { type ChannelStatistics, foldInto, type Substitution, substitute } from './channels.ts';
import { canonicalAt, matchLayers, withWeights } from './compensate.ts';
import { type Matrix, Products } from './gemm.ts';
import { biasOf, type Layer, matrixOf } from './layer.ts';
import type {
  CompensatedLayer,
  CompensateOptions,
  LayerPair,
  MatchedLayer,
} from './layer-pairs.ts';
import { isHeldOut } from './rebuild-level.ts';
import type { Feeds } from './replay.ts';
import { writeLayer } from './write-layer.ts';

/** Ridges as shares of the kept channels' mean variance. */
const GRID = [0.001, 0.01, 0.1, 1] as const;

/**
 * At every layer's input the removed channels become linear combinations of the kept ones, as the original's activations suggest, and are
 * folded into the layer's weights. Needs one C × C matrix per layer, whatever its kernel; unlike `compensate` it does not see the errors
 * that earlier layers leave, nor the difference between kernel taps. Layers in groups of channels are passed over.
 *
 * @throws MODEL_CANNOT_RUN · SHAPE_UNKNOWN
 */
export async function compensateChannels(
  original: Model,
  pruned: Model,
  pairs: readonly LayerPair[],
  feeds: () => AsyncIterable<Feeds>,
  options: CompensateOptions,
): Promise<{ readonly model: Model; readonly layers: readonly CompensatedLayer[] }> {
  const [before, after] = await canonicalAt([original, pruned], feeds);
  const matched = matchLayers(before, after, pairs).filter(
    ({ original: { groups }, keptInputs }) => groups === 1 && keptInputs !== undefined,
  );
  const sums = await gather(before, matched, feeds, options);
  const products = await Products.open(options.threads);
  const layers: CompensatedLayer[] = [];
  try {
    for (const match of matched) {
      options.signal.throwIfAborted();
      const statistics = sums.get(match.original.input.name)!;
      const { result, weights } = await rebuilt(match, statistics, products);
      if (weights) writeLayer(after.graph, match.pruned, weights);
      layers.push(result);
    }
  } finally {
    await products.release();
  }
  const model = await withWeights(
    pruned,
    matched.map((m) => m.pruned),
  );
  return { model, layers };
}

interface Sets {
  readonly train: ChannelStatistics;
  readonly heldOut: ChannelStatistics;
}

/** Mean moments of every image at every layer's input, summed over both sets of images. */
async function gather(
  model: Model,
  layers: readonly MatchedLayer[],
  feeds: () => AsyncIterable<Feeds>,
  options: CompensateOptions,
): Promise<Map<string, Sets>> {
  const inputs = new Map(layers.map(({ original: { input, inputAxis } }) => [input, inputAxis]));
  const taps = [...inputs].flatMap(([value, axis]): Tap[] => [
    { reduce: 'mean', value, axis },
    { reduce: 'gram', value, axis },
  ]);
  const sums = new Map<string, Sets>();
  const images = (async function* () {
    for await (const feed of feeds()) yield { feeds: feed };
  })();
  const { threads, signal } = options;
  const onImage = (done: number) => options.progress(done / options.images, 'Measuring channels');
  await observe(model, taps, { images, threads, provider: 'cpu', signal, onImage }, (seen, i) => {
    const set = isHeldOut(i, options.images, options.heldOut) ? 'heldOut' : 'train';
    for (let t = 0; t < taps.length; t += 2) {
      const { name } = taps[t]!.value;
      const [mean, gram] = [seen(taps[t]!), seen(taps[t + 1]!)];
      const known = sums.get(name) ?? { train: none(mean.length), heldOut: none(mean.length) };
      sums.set(name, { ...known, [set]: plus(known[set], mean, gram) });
    }
  });
  return sums;
}

const none = (n: number): ChannelStatistics => ({
  ...{ count: 0, sum: new Float64Array(n) },
  squares: { rows: n, columns: n, data: new Float64Array(n * n) },
});

function plus(
  { count, sum, squares }: ChannelStatistics,
  mean: Float32Array,
  gram: Float32Array,
): ChannelStatistics {
  for (const [i, x] of mean.entries()) sum[i]! += x;
  for (const [i, x] of gram.entries()) squares.data[i]! += x;
  return { count: count + 1, sum, squares };
}

/** The ridge with the least held-out error, where one beats leaving the layer alone. */
async function rebuilt(match: MatchedLayer, { train, heldOut }: Sets, products: Products) {
  const { original, kept: rows } = match;
  const kept = match.keptInputs!;
  const channels = train.sum.length;
  const removed = others(channels, kept);
  const taps = original.columns / channels;
  const weight = rowsOfLayer(original, rows);
  const judge = (s: Substitution | undefined) =>
    errorOf(weight, taps, kept, removed, s, heldOut, products);
  const energy =
    (await errorOf(weight, taps, [], allOf(channels), undefined, heldOut, products)) || 1;
  const before = await judge(undefined);
  let best: { error: number; ridge: number; found: Substitution } | undefined;
  for (const ridge of removed.length > 0 ? GRID : []) {
    const found = await substitute(
      train,
      kept,
      removed,
      ridge * meanVariance(train, kept),
      products,
    );
    const error = found ? await judge(found) : Number.POSITIVE_INFINITY;
    if (found && error < (best?.error ?? before)) best = { error, ridge, found };
  }
  const result: CompensatedLayer = {
    ...{ name: match.name, before: before / energy, after: (best?.error ?? before) / energy },
    ridge: best?.ridge ?? null,
  };
  if (!best) return { result, weights: undefined };
  const bias = biasOf(original, 0);
  const folded = foldInto(
    weight,
    rows.map((r) => bias[r]!),
    taps,
    kept,
    removed,
    best.found,
  );
  return {
    result,
    weights: { weight: folded.weight, bias: original.bias ? folded.bias : undefined },
  };
}

const allOf = (n: number) => Array.from({ length: n }, (_, i) => i);

function rowsOfLayer(layer: Layer, rows: readonly number[]): Float64Array {
  const all = matrixOf(layer, 0);
  const out = new Float64Array(rows.length * layer.columns);
  for (const [i, r] of rows.entries())
    out.set(all.subarray(r * layer.columns, (r + 1) * layer.columns), i * layer.columns);
  return out;
}

/**
 * Σ over outputs and taps of the mean of (w_R·(x_R − A x_K − r))²; without a substitution of (w_R·x_R)².
 *
 * @param weight (outputs, channels, taps)
 */
async function errorOf(
  weight: Float64Array,
  taps: number,
  kept: readonly number[],
  removed: readonly number[],
  substitution: Substitution | undefined,
  { count, sum, squares }: ChannelStatistics,
  products: Products,
): Promise<number> {
  const channels = squares.rows;
  const rows = weight.length / channels;
  const v = new Float64Array(rows * channels);
  const shift = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const [m, t] = [Math.floor(row / taps), row % taps];
    for (const [y, i] of removed.entries()) {
      const w = weight[(m * channels + i) * taps + t]!;
      v[row * channels + i] = w;
      if (!substitution) continue;
      shift[row]! += w * substitution.r[y]!;
      for (const [x, j] of kept.entries())
        v[row * channels + j]! -= w * substitution.a.data[y * kept.length + x]!;
    }
  }
  const left: Matrix = { rows, columns: channels, data: v };
  const product = await products.times(left, squares);
  let error = 0;
  for (let row = 0; row < rows; row++) {
    const c = shift[row]!;
    error += c * c;
    for (let k = row * channels; k < (row + 1) * channels; k++)
      error += (v[k]! * (product.data[k]! - 2 * c * sum[k % channels]!)) / Math.max(1, count);
  }
  return error;
}

function meanVariance({ count, sum, squares }: ChannelStatistics, kept: readonly number[]): number {
  const total = kept.reduce(
    (t, i) => t + squares.data[i * squares.rows + i]! / count - (sum[i]! / count) ** 2,
    0,
  );
  return total / Math.max(1, kept.length);
}
