/** @file Sequential least-squares reconstruction: pruned layers learn to give what the original's gave, without labels or training. */

import { cloneModel } from '../../onnx/clone.ts';
import { type Model, type Node, nodeLabel } from '../../onnx/graph.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { liftConstants } from '../../passes/constants.ts';
import { canonical } from '../../training/canonical.ts';
import { changedValues } from './changed.ts';
import { Products } from './gemm.ts';
import { type Layer, layerOf } from './layer.ts';
import type {
  CompensatedLayer,
  CompensateOptions,
  LayerPair,
  MatchedLayer,
} from './layer-pairs.ts';
import { byLevel } from './levels.ts';
import { openMoments } from './moments.ts';
import { rebuildLevel } from './rebuild-level.ts';
import { type Feeds, Replay } from './replay.ts';

const MEMORY = 512 * 2 ** 20;

/**
 * Fit every layer behind a cut, in graph order, so that on the pruned network's own inputs X it meets the original network's outputs Y before the
 * activation function:
 *
 *     W′ = W + (Y − W·X)·Xᵀ·(X·Xᵀ + λ·mean diag·I)⁻¹        X: unfolded patches with a row of ones for the bias
 *
 * λ is chosen per layer on held-out images; a layer that no λ improves there stays as it is. Layers that least squares cannot fit
 * (other ops, shared weights) are passed over. Each network is run once, piece by piece, as far as `memory` allows.
 *
 * Source: after He et al., Channel Pruning for Accelerating Very Deep Neural Networks, 2017 (reconstruction of consumers)
 *
 * @param pruned stays as it is
 * @param feeds  the same images each time it is called
 * @throws MODEL_CANNOT_RUN · SHAPE_UNKNOWN
 */
export async function compensate(
  original: Model,
  pruned: Model,
  pairs: readonly LayerPair[],
  feeds: () => AsyncIterable<Feeds>,
  options: CompensateOptions,
): Promise<{ readonly model: Model; readonly layers: readonly CompensatedLayer[] }> {
  const [before, after] = await canonicalAt([original, pruned], feeds);
  const found = matchLayers(before, after, pairs);
  const levels = byLevel(after.graph, new Set(found.map(({ pruned: { node } }) => node))).map(
    (nodes) => found.filter(({ pruned: { node } }) => nodes.includes(node)),
  );
  const replayOptions = {
    images: options.images,
    memory: (options.memory ?? MEMORY) / 2,
    threads: options.threads,
  };
  const context = {
    ...options,
    graph: after.graph,
    feeds,
    from: new Replay(
      before,
      levels.map((l) => l.map((m) => m.original.output)),
      replayOptions,
    ),
    to: new Replay(
      after,
      levels.map((l) => l.map((m) => m.pruned.input)),
      replayOptions,
    ),
    moments: await openMoments(options.threads),
    products: await Products.open(options.threads),
  };
  const layers: CompensatedLayer[] = [];
  try {
    for (const [i, level] of levels.entries()) {
      options.progress(i / levels.length, `Rebuilding ${level.map((m) => m.name).join(', ')}`);
      layers.push(...(await rebuildLevel(i, level, context)));
    }
  } finally {
    await context.moments.release();
    await context.products.release();
  }
  return {
    model: await withWeights(
      pruned,
      found.map((m) => m.pruned),
    ),
    layers,
  };
}

/** Layers behind a cut, as both canonical graphs have them. */
export function matchLayers(
  before: Model,
  after: Model,
  pairs: readonly LayerPair[],
): MatchedLayer[] {
  const [from, to] = [layersByOutput(before), layersByOutput(after)];
  const changed = changedValues(before.graph, after.graph);
  return pairs.flatMap(({ original, pruned, keptOutputs, keptInputs }) => {
    const [a, b] = [from(original), to(pruned)];
    if (!a || !b || b.groups * b.rows !== keptOutputs.length) return [];
    if (!changed.has(b.input)) return [];
    return [{ name: nodeLabel(pruned), original: a, pruned: b, kept: keptOutputs, keptInputs }];
  });
}

/** Canonical forms keep the names of values, so a node is found by what it makes. */
function layersByOutput({ graph }: Model) {
  const index = new GraphIndex(graph);
  const nodes = new Map(graph.nodes.map((n) => [n.outputs[0]?.name, n]));
  return (node: Node): Layer | undefined => {
    const found = nodes.get(node.outputs[0]?.name);
    return found && layerOf(found, index);
  };
}

/** Canonical forms at the sizes of the calibration images. */
export async function canonicalAt(
  models: readonly [Model, Model],
  feeds: () => AsyncIterable<Feeds>,
): Promise<[Model, Model]> {
  for await (const first of feeds())
    return [await fixed(models[0], first), await fixed(models[1], first)];
  throw new TypeError('internal: compensation needs at least one image');
}

async function fixed(model: Model, feeds: Feeds): Promise<Model> {
  const copy = cloneModel(model);
  for (const value of copy.graph.inputs) {
    const dims = feeds[value.name]?.dims;
    if (dims && value.type?.kind === 'tensor') value.type = { ...value.type, shape: dims };
  }
  return canonical(copy);
}

/** The model with the weights and biases of its canonical form's layers. */
export async function withWeights(model: Model, layers: readonly Layer[]): Promise<Model> {
  const copy = cloneModel(model);
  await liftConstants.run(copy, { threads: 1, allowance: 0, decline: () => {} });
  const { graph } = copy;
  const values = new Map(graph.initializers.map((v) => [v.name, v]));
  const nodes = new Map(graph.nodes.map((n) => [n.outputs[0]?.name, n]));
  for (const { weight, node, bias } of layers) {
    values.get(weight.name)!.constant = weight.constant;
    const made = bias?.kind === 'add' ? bias.value : node.inputs[2];
    if (made === undefined) continue;
    const known = values.get(made.name);
    if (known) known.constant = made.constant;
    else {
      graph.initializers.push(made);
      nodes.get(node.outputs[0]!.name)!.inputs[2] = made;
    }
  }
  return copy;
}
