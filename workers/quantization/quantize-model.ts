/** @file Post-training quantization of a whole model: place, calibrate, choose ranges, insert. */

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../src/contract/errors.ts';
import { cloneModel } from '../onnx/clone.ts';
import { type Graph, type Model, type Node, nodeLabel, type Value } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { weightIndex } from '../onnx/trained.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { floatsOf } from '../onnx/values.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { type Feed, openSession } from '../runtime/session.ts';
import type { RoundedLayer } from './adaround/round-model.ts';
import { calibrate, type Observed } from './calibrate.ts';
import type { CalibratorName } from './calibrators/registry.ts';
import { type Chosen, chooseRange, reportTensor, type TensorReport } from './choose-range.ts';
import type { Choice } from './choose-variant.ts';
import { convsBehind, DROWNED, signalLost } from './drowned.ts';
import { fill } from './fill.ts';
import { insertQdq } from './insert-qdq.ts';
import { type InputDims, macsAt } from './macs-at.ts';
import { matcher } from './matcher.ts';
import { FLOAT_SHARE, place, type QuantizedTensor } from './placement.ts';
import { PRECISIONS, type Precision, type PrecisionName } from './precisions.ts';
import { type Activations, PROFILES, type Profile, type ProfileName } from './profiles.ts';
import { needsReducedRange } from './saturation.ts';
import { shareScales } from './share-scales.ts';

export interface QuantizeOptions {
  readonly precision: PrecisionName;
  readonly profile: ProfileName;
  readonly calibrator: CalibratorName | 'auto';
  readonly keepFloat: readonly string[];
  readonly reduceRange: boolean | 'auto';
  readonly rounding: 'nearest' | 'adaround';
  /** Of what is drawn by chance. */
  readonly seed: number;
  readonly images: number;
  /** Shapes that the feeds have. */
  readonly inputDims: InputDims;
  /** The calibration images anew, each time it is called; `from` and `to` as slice() takes them. */
  readonly feeds: (from?: number, to?: number) => AsyncIterable<Readonly<Record<string, Feed>>>;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  /** Folder for the runtime's optimised graph. */
  readonly scratch: string;
  readonly progress: (done: number, doing: string) => void;
}

export interface QuantizeDetails {
  readonly precision: PrecisionName;
  readonly profile: ProfileName;
  readonly images: number;
  /** Share of the Convs' MACs whose inputs and weights are integers of the precision's width. */
  readonly convMacs8bit: number;
  readonly convs: number;
  /** Convs that the runtime runs in integers, counted in its own optimised graph. */
  readonly fusedConvs: number;
  readonly reduceRange: boolean;
  /** What images set aside say of plain biases, corrected ones and learned rounding; null: there was nothing to choose from. */
  readonly choice: Choice<string> | null;
  /** Null: weights were rounded to nearest. */
  readonly rounding: readonly RoundedLayer[] | null;
  readonly float: readonly {
    readonly tensor: string;
    readonly op: string;
    readonly reason: string;
  }[];
  /** Worst first. */
  readonly tensors: readonly TensorReport[];
  readonly warnings: readonly string[];
}

/** Quantize `model` in place: float32 weights, and the opset that the precision needs or newer. */
export async function quantizeModel(
  model: Model,
  options: QuantizeOptions,
): Promise<QuantizeDetails> {
  const { graph } = model;
  activationsFor(options.profile, options.precision);
  for (const node of graph.nodes) expectFiniteWeight(node);
  await inferTypes(model);
  const precision: Precision = PRECISIONS[options.precision];
  const how = {
    profile: PROFILES[options.profile] as Profile,
    keepFloat: matcher(options.keepFloat, graph, 'keepFloat'),
    macs: await macsAt(model, options.inputDims),
  };
  const { tensors } = place(graph, { ...how, floatShare: 0, drowned: new Map() });
  const observed = await observe(model, tensors, options);
  const chosen = await chooseRanges(tensors, observed, options);
  const drowned = drownedTensors(graph, tensors, observed, chosen);
  const placement = place(graph, { ...how, floatShare: FLOAT_SHARE, drowned });
  const reduceRange =
    options.reduceRange === 'auto'
      ? precision.activations === 8 && (await needsReducedRange())
      : options.reduceRange;
  const quantizers = new Map(
    placement.tensors.map(({ value }) => [value, chosen.get(value)!.quantizer]),
  );
  shareScales(graph, how.profile.shares, quantizers);
  const float = cloneModel(model);
  const inserted = insertQdq(graph, placement.products, placement.tensors, quantizers, {
    weights: { format: precision.weights, range: 'mse', reduceRange },
    biases: precision.biases === 'float' ? 'float' : how.profile.biases,
    means: new Map(
      placement.tensors
        .filter((t) => t.activation === undefined)
        .map(({ value }) => [value, observed.get(value.name)!.channels.means()]),
    ),
  });
  const { raisedChannels } = inserted;
  const { choice, rounding } = await fill(float, model, inserted, options);
  options.progress(0.98, "counting fused ops in the runtime's graph");
  return {
    precision: options.precision,
    profile: options.profile,
    images: options.images,
    convMacs8bit: shareOfConvMacs(graph, placement.products, how.macs),
    convs: graph.nodes.filter((n) => n.op === 'Conv').length,
    fusedConvs: await countFused(model, options),
    reduceRange,
    choice,
    rounding,
    float: placement.float,
    tensors: placement.tensors
      .map(({ value }) =>
        reportTensor(value.name, { ...chosen.get(value)!, quantizer: quantizers.get(value)! }),
      )
      .sort((a, b) => a.sqnrDb - b.sqnrDb),
    warnings: Object.entries(raisedChannels).map(
      ([weight, channels]) =>
        `The scale of ${channels.length} nearly empty channel(s) of '${weight}' was raised so that their bias fits 32 bits.`,
    ),
  };
}

const observe = (model: Model, tensors: readonly QuantizedTensor[], options: QuantizeOptions) =>
  calibrate(model, tensors, options.feeds(), {
    threads: options.threads,
    provider: options.provider,
    signal: options.signal,
    onImage: (n) =>
      options.progress((0.8 * n) / options.images, `calibration image ${n} of ${options.images}`),
  });

async function chooseRanges(
  tensors: readonly QuantizedTensor[],
  observed: ReadonlyMap<string, Observed>,
  { profile, precision, calibrator, signal, progress }: QuantizeOptions,
): Promise<Map<Value, Chosen>> {
  const activations = activationsFor(profile, precision);
  const chosen = new Map<Value, Chosen>();
  for (const [i, tensor] of tensors.entries()) {
    signal.throwIfAborted();
    const { histogram } = observed.get(tensor.value.name)!;
    chosen.set(tensor.value, chooseRange(tensor, histogram, activations, calibrator));
    progress(0.8 + (0.1 * i) / tensors.length, 'choosing ranges');
    // Ranges take a while together: let signals and progress through.
    if (i % 8 === 7) await new Promise(setImmediate);
  }
  return chosen;
}

/** @throws OPTIONS_CONFLICT the profile has no activations of that width */
export function activationsFor(profile: ProfileName, precision: PrecisionName): Activations {
  const bits = PRECISIONS[precision].activations;
  const found = PROFILES[profile].activations[bits];
  if (found) return found;
  const others = Object.entries(PROFILES).filter(([, p]) => p.activations[bits]);
  throw new ServiceError('OPTIONS_CONFLICT', {
    options: ['precision', 'profile'],
    why: `'${profile}' has no ${bits}-bit activations; ${others.map(([name]) => `'${name}'`).join(', ')} do`,
  });
}

/** Tensors that one scale cannot hold, and the share of signal that the layer behind them would lose. */
function drownedTensors(
  graph: Graph,
  tensors: readonly QuantizedTensor[],
  observed: ReadonlyMap<string, Observed>,
  chosen: ReadonlyMap<Value, Chosen>,
): Map<Value, number> {
  const index = new GraphIndex(graph);
  const lost = tensors.map(({ value }) => {
    const variances = observed.get(value.name)!.channels.variances();
    const { scale } = chosen.get(value)!.quantizer;
    const losses = convsBehind(value, index).map((conv) => signalLost(conv, variances, scale));
    return [value, Math.max(0, ...losses)] as const;
  });
  return new Map(lost.filter(([, share]) => share > DROWNED));
}

/** @throws WEIGHT_NOT_FINITE a weight is NaN or infinite, by name: before any image is run */
function expectFiniteWeight(node: Node): void {
  const index = weightIndex(node);
  if (index === undefined) return;
  const weight = node.inputs[index]!;
  if (floatsOf(weight.constant!).every(Number.isFinite)) return;
  throw new ServiceError('WEIGHT_NOT_FINITE', { tensor: weight.name, node: nodeLabel(node) });
}

function shareOfConvMacs(
  graph: Graph,
  products: readonly Node[],
  macs: ReadonlyMap<Node, number>,
): number {
  const cost = (nodes: readonly Node[]) =>
    nodes.filter((n) => n.op === 'Conv').reduce((sum, n) => sum + macs.get(n)!, 0);
  const total = cost(graph.nodes.filter((n) => macs.has(n)));
  return total === 0 ? 0 : cost(products) / total;
}

/** QLinearConvs in the graph that onnxruntime makes of the model on this machine. */
async function countFused(model: Model, { scratch, provider }: QuantizeOptions): Promise<number> {
  const file = join(scratch, 'optimised.onnx');
  const session = await openSession(model, {
    optimizedModelFilePath: file,
    provider,
    optimize: 'extended',
  });
  await session.release();
  const optimised = readModel(await readFile(file));
  await rm(file);
  return optimised.graph.nodes.filter((n) => n.op === 'QLinearConv').length;
}
