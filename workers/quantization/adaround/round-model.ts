/**
 * @file AdaRound over a whole model. Each layer is rounded for what it sees in the float model: made up for errors of layers
 * before it, it would be wrong as soon as those are rounded anew.
 */

import { setImmediate } from 'node:timers/promises';
import type { Model } from '../../onnx/graph.ts';
import { bytesOf, Tensor } from '../../onnx/tensor.ts';
import { floatsOf } from '../../onnx/values.ts';
import { dropDeadCode } from '../../passes/dead-code.ts';
import { random } from '../../runtime/random.ts';
import { type Feed, freeResults, openSession } from '../../runtime/session.ts';
import { withOutputs } from '../../runtime/taps.ts';
import { FORMATS } from '../formats.ts';
import type { PlacedWeights } from '../insert-qdq.ts';
import { descend, squaredError } from './descend.ts';
import { MomentMeter, Moments } from './moments.ts';
import { type RowView, rowViewOf } from './row-view.ts';

/** Bytes of moments held at a time: layers that share them share the passes over the images. */
const HELD = 64e6;

/** Every fourth image is not learned from. */
const CHECKED = 4;

export interface RoundOptions {
  /** The images anew, each time it is called. */
  readonly feeds: () => AsyncIterable<Readonly<Record<string, Feed>>>;
  readonly seed: number;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  /** @param done layers so far */
  readonly onLayer: (done: number, of: number) => void;
}

export interface RoundedLayer {
  readonly tensor: string;
  /** Squared error of the layer's result over that with codes rounded to nearest, on images not learned from. */
  readonly ratio: number;
}

interface Layer {
  readonly weights: PlacedWeights;
  readonly view: RowView;
}

/**
 * Replace the codes of `weights` by learned ones, wherever the layer's result on images not learned from gains by it.
 *
 * @param float the model before quantization
 * @param weights what their values hold is changed
 */
export async function roundModel(
  float: Model,
  weights: readonly PlacedWeights[],
  options: RoundOptions,
): Promise<readonly RoundedLayer[]> {
  const layers = layersOf(weights);
  const rounded: RoundedLayer[] = [];
  for (const block of blocksOf(layers)) {
    const moments = await measure(float, block, options);
    for (const [i, layer] of block.entries()) {
      rounded.push({ tensor: layer.weights.output, ratio: roundLayer(layer, moments[i]!) });
      options.onLayer(rounded.length, layers.length);
      await setImmediate(); // a large layer takes a second: let signals and progress through
    }
  }
  return rounded;
}

/** Shared weights cannot suit two layers, and stay. */
function layersOf(weights: readonly PlacedWeights[]): Layer[] {
  const uses = Map.groupBy(weights, (w) => w.value);
  return weights.flatMap((w) => {
    const view = w.at === 1 ? rowViewOf(w.node, w.float.dims) : undefined;
    return view && uses.get(w.value)!.length === 1 ? [{ weights: w, view }] : [];
  });
}

function blocksOf(layers: readonly Layer[]): Layer[][] {
  const blocks: Layer[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const layer of layers) {
    const more = 2 * Moments.bytes(layer.view);
    if (bytes + more > HELD) {
      blocks.push([]);
      bytes = 0;
    }
    bytes += more;
    blocks.at(-1)!.push(layer);
  }
  return blocks;
}

/** Moments of every layer of the block: of images to learn from, and of some to check by. */
async function measure(
  float: Model,
  block: readonly Layer[],
  { feeds, seed, threads, provider, signal }: RoundOptions,
): Promise<readonly Measured[]> {
  const names = block.map(({ weights: w }) => ({ x: w.input, y: w.output }));
  const given = new Set(float.graph.inputs.map((v) => v.name));
  const wanted = new Set(names.flatMap(({ x, y }) => (given.has(x) ? [y] : [x, y])));
  const session = await openSession(upTo(float, [...wanted]), { threads, provider });
  const meters = await Promise.all(
    block.map(({ view }) => MomentMeter.open(view, random(seed), threads)),
  );
  const all = block.map(({ view }) => ({ learn: new Moments(view), check: new Moments(view) }));
  try {
    let image = 0;
    for await (const feed of feeds()) {
      signal.throwIfAborted();
      const which = image++ % CHECKED === CHECKED - 1 ? 'check' : 'learn';
      const seen = await session.run(feed);
      for (const [i, { x, y }] of names.entries())
        await meters[i]!.add(all[i]![which], seen[x] ?? feed[x]!, seen[y]!.dims);
      freeResults(seen);
    }
  } finally {
    for (const open of [session, ...meters]) await open.release();
  }
  return all;
}

interface Measured {
  readonly learn: Moments;
  readonly check: Moments;
}

function upTo(model: Model, names: readonly string[]): Model {
  const part = withOutputs(model, names);
  dropDeadCode.run(part, { threads: 1, allowance: 0, decline: () => {} });
  return part;
}

/** @returns the squared error on images not learned from, as a share of what nearest rounding leaves */
function roundLayer({ weights, view }: Layer, { learn, check }: Measured): number {
  const { quantized, value, float } = weights;
  const w = floatsOf(float);
  const nearest = Int32Array.from(w, (_, i) => quantized.codes[view.weightAt(i)]!);
  const scaleOf = (i: number) => quantized.scales[Math.floor(i / view.taps)]!;
  const steps = Float64Array.from(w, (_, i) => w[view.weightAt(i)]! / scaleOf(i));
  const { min, max } = FORMATS[quantized.format];
  const grid = { steps, scales: quantized.scales, qn: min, qp: max };
  const codes = nearest.slice();
  descend(codes, grid, learn, view);
  const judge = check.positions > 0 ? check : learn;
  const before = squaredError(nearest, grid, judge, view);
  const ratio = before > 0 ? squaredError(codes, grid, judge, view) / before : 1;
  if (ratio < 1) {
    const stored = quantized.codes.slice();
    for (const [i, code] of codes.entries()) stored[view.weightAt(i)] = code;
    value.constant = new Tensor(quantized.format, float.dims, bytesOf(stored));
  }
  return ratio;
}
