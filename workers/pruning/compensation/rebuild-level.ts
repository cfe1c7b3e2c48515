/** @file One pass over the images for layers that do not depend on each other. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph, Value } from '../../onnx/graph.ts';
import { random } from '../../runtime/random.ts';
import type { Feed, Session } from '../../runtime/session.ts';
import type { Matrix, Products } from './gemm.ts';
import { biasOf, type Layer, matrixOf } from './layer.ts';
import type { CompensatedLayer, CompensateOptions, MatchedLayer } from './layer-pairs.ts';
import { MomentSums } from './moments.ts';
import { anywhere } from './positions.ts';
import type { Feeds, Piece, Replay } from './replay.ts';
import { fitRidge } from './ridge.ts';
import {
  gatherOutputs,
  gatherPatches,
  indexFeed,
  indexInput,
  patchIndices,
  positionsOf,
} from './unfold.ts';
import { writeLayer } from './write-layer.ts';

export interface RebuildContext extends CompensateOptions {
  /** The pruned network's graph. */
  readonly graph: Graph;
  feeds(): AsyncIterable<Feeds>;
  readonly from: Replay;
  readonly to: Replay;
  readonly moments: Session;
  readonly products: Products;
}

/** Layers that read the same patches: their inputs are gathered, multiplied and factored once. */
interface Sharing {
  readonly layers: readonly MatchedLayer[];
  readonly count: number;
  readonly sums: { readonly train: MomentSums; readonly heldOut: MomentSums };
  patches?: { readonly indices: Value; readonly made: Value };
  outputs?: { readonly indices: Value; readonly made: readonly Value[] };
}

export async function rebuildLevel(
  step: number,
  level: readonly MatchedLayer[],
  context: RebuildContext,
): Promise<CompensatedLayer[]> {
  const sharing = shared(level, context);
  const from = await context.from.open(step, (g) => sharing.flatMap((s) => writeOutputs(g, s)));
  const to = await context.to.open(step, (g) => sharing.map((s) => writePatches(g, s)));
  await collect(step, sharing, { from, to }, context);
  await from.close();
  await to.close();
  const results = new Map<MatchedLayer, CompensatedLayer>();
  for (const each of sharing)
    for (const [i, result] of (await fitShared(each, context)).entries())
      results.set(each.layers[i]!, result);
  return level.map((layer) => results.get(layer)!);
}

/** Whether image `i` of `n` is one of the `h` held out, evenly spread. */
export const isHeldOut = (i: number, n: number, h: number) =>
  Math.floor(((i + 1) * h) / n) > Math.floor((i * h) / n);

function shared(level: readonly MatchedLayer[], context: RebuildContext): Sharing[] {
  const groups = Map.groupBy(
    level,
    ({ pruned: { input, window, groups: g, inputAxis, bias, output } }) =>
      JSON.stringify([input.name, window, g, inputAxis, bias !== undefined, positionsKey(output)]),
  );
  return [...groups.values()].map((layers) => {
    const { pruned } = layers[0]!;
    const count = Math.min(positionsOf(pruned), Math.ceil(context.patches / context.images));
    const size = {
      groups: pruned.groups,
      columns: pruned.columns + (pruned.bias ? 1 : 0),
      rows: layers.reduce((n, l) => n + l.pruned.rows, 0),
    };
    const sums = () => new MomentSums(context.moments, size);
    return { layers, count, sums: { train: sums(), heldOut: sums() } };
  });
}

const positionsKey = (output: Value) =>
  output.type?.kind === 'tensor' ? output.type.shape?.slice(2) : undefined;

function writeOutputs(g: GraphBuilder, sharing: Sharing): readonly Value[] {
  const indices = indexInput(g, 'positions/outputs', sharing.count);
  const made = sharing.layers.map(({ original, kept }) =>
    gatherOutputs(g, original, kept, indices),
  );
  sharing.outputs = { indices, made };
  return made;
}

function writePatches(g: GraphBuilder, sharing: Sharing): Value {
  const { pruned } = sharing.layers[0]!;
  const taps = pruned.window ? pruned.window.kernel.reduce((n, k) => n * k, 1) : 1;
  const indices = indexInput(g, 'positions/patches', sharing.count * taps);
  const made = gatherPatches(g, pruned, indices);
  sharing.patches = { indices, made };
  return made;
}

async function collect(
  step: number,
  sharing: readonly Sharing[],
  pieces: { readonly from: Piece; readonly to: Piece },
  context: RebuildContext,
): Promise<void> {
  const rng = random((context.seed ?? 0) + step);
  const { images, heldOut, positions: choose = anywhere } = context;
  for await (const [i, feeds] of inputsOf(context)) {
    context.signal.throwIfAborted();
    const outputs: Record<string, Feed> = {};
    const patches: Record<string, Feed> = {};
    for (const s of sharing) {
      const { pruned } = s.layers[0]!;
      const total = positionsOf(pruned);
      const positions = choose(i, s.layers[0]!.original.output.name, total, s.count, rng);
      outputs[s.outputs!.indices.name] = indexFeed(positions);
      patches[s.patches!.indices.name] = indexFeed(patchIndices(pruned, positions));
    }
    const y = await pieces.from.run(i, feeds, outputs);
    const x = await pieces.to.run(i, feeds, patches);
    const set = isHeldOut(i, images, heldOut) ? 'heldOut' : 'train';
    for (const s of sharing)
      await s.sums[set].add(
        x[s.patches!.made.name]!.data as Float32Array,
        stacked(
          s,
          s.outputs!.made.map((v) => y[v.name]!.data as Float32Array),
        ),
        s.count,
      );
  }
}

/** Each image's number, with its feeds where a network has to start from them. */
async function* inputsOf({
  from,
  to,
  images,
  feeds,
}: RebuildContext): AsyncIterable<[number, Feeds?]> {
  if (!from.needsImages && !to.needsImages) {
    for (let i = 0; i < images; i++) yield [i];
    return;
  }
  let i = 0;
  for await (const feed of feeds()) {
    if (i === images) return;
    yield [i++, feed];
  }
}

/** Outputs of several layers as (groups, all rows, positions): each comes as (groups · rows, positions). */
function stacked({ layers, count }: Sharing, outputs: readonly Float32Array[]): Float32Array {
  if (layers.length === 1) return outputs[0]!;
  const { groups } = layers[0]!.pruned;
  const all = new Float32Array(outputs.reduce((n, o) => n + o.length, 0));
  let offset = 0;
  for (let g = 0; g < groups; g++)
    for (const [i, { pruned }] of layers.entries()) {
      const size = pruned.rows * count;
      all.set(outputs[i]!.subarray(g * size, (g + 1) * size), offset);
      offset += size;
    }
  return all;
}

async function fitShared(
  { layers, sums }: Sharing,
  { graph, products }: RebuildContext,
): Promise<CompensatedLayer[]> {
  const train = await sums.train.finish();
  const heldOut = await sums.heldOut.finish();
  const { groups, rows, columns } = train;
  const current = Array.from({ length: groups }, (_, g): Matrix => {
    const data = new Float64Array(rows * columns);
    let row = 0;
    for (const { pruned } of layers) row = fillRows(data, row, columns, pruned, g);
    return { rows, columns, data };
  });
  const ranges = rangesOf(layers);
  const fits = await fitRidge(train, heldOut, current, ranges, products);
  return layers.map(({ name, pruned }, i) => {
    const { ridge, before, after, weights } = fits[i]!;
    if (ridge !== undefined) writeLayer(graph, pruned, split(weights, pruned));
    return { name, before, after, ridge: ridge ?? null };
  });
}

/** Rows of each layer among those of a group. */
function rangesOf(layers: readonly MatchedLayer[]) {
  let from = 0;
  return layers.map(({ pruned: { rows } }) => {
    from += rows;
    return { from: from - rows, to: from };
  });
}

/** The layer's weights, and its bias in the last column where it has one. @returns the row after them */
function fillRows(data: Float64Array, row: number, columns: number, layer: Layer, group: number) {
  const [w, b] = [matrixOf(layer, group), biasOf(layer, group)];
  for (let r = 0; r < layer.rows; r++) {
    const start = (row + r) * columns;
    data.set(w.subarray(r * layer.columns, (r + 1) * layer.columns), start);
    if (layer.bias) data[start + layer.columns] = b[r]!;
  }
  return row + layer.rows;
}

function split(weights: readonly Matrix[], { rows, columns, bias }: Layer) {
  const weight = new Float64Array(weights.length * rows * columns);
  const shift = new Float64Array(weights.length * rows);
  for (const [g, { columns: width, data }] of weights.entries())
    for (let r = 0; r < rows; r++) {
      weight.set(data.subarray(r * width, r * width + columns), (g * rows + r) * columns);
      shift[g * rows + r] = data[r * width + columns] ?? 0;
    }
  return { weight, bias: bias ? shift : undefined };
}
