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
import { calibrate, type Observed } from './calibrate.ts';
import type { CalibratorName } from './calibrators/registry.ts';
import { type Chosen, chooseRange, reportTensor, type TensorReport } from './choose-range.ts';
import { type BiasDecision, decideBiases } from './decide-biases.ts';
import { convsBehind, DROWNED, signalLost } from './drowned.ts';
import { insertQdq } from './insert-qdq.ts';
import { type InputDims, macsAt } from './macs-at.ts';
import { matcher } from './matcher.ts';
import { FLOAT_SHARE, place, type QuantizedTensor } from './placement.ts';
import { PROFILES, type ProfileName } from './profiles.ts';
import { needsReducedRange } from './saturation.ts';

export interface QuantizeOptions {
  readonly profile: ProfileName;
  readonly calibrator: CalibratorName | 'auto';
  readonly keepFloat: readonly string[];
  readonly reduceRange: boolean | 'auto';
  readonly images: number;
  /** Shapes that the feeds have. */
  readonly inputDims: InputDims;
  readonly feeds: AsyncIterable<Readonly<Record<string, Feed>>>;
  /** Images to decide by, once: a few that the means of channels were not taken of. */
  readonly heldOut: AsyncIterable<Readonly<Record<string, Feed>>>;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  /** Folder for the runtime's optimised graph. */
  readonly scratch: string;
  readonly progress: (done: number, doing: string) => void;
}

export interface QuantizeDetails {
  readonly profile: ProfileName;
  readonly images: number;
  /** Share of the Convs' MACs whose inputs and weights are 8 bit. */
  readonly convMacs8bit: number;
  readonly convs: number;
  /** Convs that the runtime runs in integers, counted in its own optimised graph. */
  readonly fusedConvs: number;
  readonly reduceRange: boolean;
  /** Null: no Conv with a bias was quantized. */
  readonly biasCorrection: BiasDecision | null;
  readonly float: readonly {
    readonly tensor: string;
    readonly op: string;
    readonly reason: string;
  }[];
  /** Worst first. */
  readonly tensors: readonly TensorReport[];
  readonly warnings: readonly string[];
}

/** Quantize `model` in place: opset 13 or newer, float32 weights. */
export async function quantizeModel(
  model: Model,
  options: QuantizeOptions,
): Promise<QuantizeDetails> {
  const { graph } = model;
  for (const node of graph.nodes) expectFiniteWeight(node);
  await inferTypes(model);
  const how = {
    profile: PROFILES[options.profile],
    keepFloat: matcher(options.keepFloat, graph, 'keepFloat'),
    macs: await macsAt(model, options.inputDims),
  };
  const { tensors } = place(graph, { ...how, floatShare: 0, drowned: new Map() });
  const observed = await observe(model, tensors, options);
  const chosen = await chooseRanges(tensors, observed, options);
  const drowned = drownedTensors(graph, tensors, observed, chosen);
  const placement = place(graph, { ...how, floatShare: FLOAT_SHARE, drowned });
  const reduceRange =
    options.reduceRange === 'auto' ? await needsReducedRange() : options.reduceRange;
  const float = cloneModel(model);
  const { raisedChannels, biases } = insertQdq(
    graph,
    placement.products,
    placement.tensors,
    new Map([...chosen].map(([value, c]) => [value, c.quantizer])),
    {
      weights: { format: 'int8', range: 'mse', reduceRange },
      means: new Map(
        placement.tensors
          .filter((t) => t.activation === undefined)
          .map(({ value }) => [value, observed.get(value.name)!.channels.means()]),
      ),
    },
  );
  options.progress(0.95, 'comparing biases');
  const biasCorrection = await decideBiases(float, model, biases, options.heldOut, options);
  options.progress(0.98, "counting fused ops in the runtime's graph");
  return {
    profile: options.profile,
    images: options.images,
    convMacs8bit: shareOfConvMacs(graph, placement.products, how.macs),
    convs: graph.nodes.filter((n) => n.op === 'Conv').length,
    fusedConvs: await countFused(model, options),
    reduceRange,
    biasCorrection: biasCorrection ?? null,
    float: placement.float,
    tensors: placement.tensors
      .map(({ value }) => reportTensor(value.name, chosen.get(value)!))
      .sort((a, b) => a.sqnrDb - b.sqnrDb),
    warnings: Object.entries(raisedChannels).map(
      ([weight, channels]) =>
        `The scale of ${channels.length} nearly empty channel(s) of '${weight}' was raised so that their bias fits 32 bits.`,
    ),
  };
}

const observe = (model: Model, tensors: readonly QuantizedTensor[], options: QuantizeOptions) =>
  calibrate(model, tensors, options.feeds, {
    threads: options.threads,
    provider: options.provider,
    signal: options.signal,
    onImage: (n) =>
      options.progress((0.8 * n) / options.images, `calibration image ${n} of ${options.images}`),
  });

async function chooseRanges(
  tensors: readonly QuantizedTensor[],
  observed: ReadonlyMap<string, Observed>,
  { profile, calibrator, signal, progress }: QuantizeOptions,
): Promise<Map<Value, Chosen>> {
  const chosen = new Map<Value, Chosen>();
  for (const [i, tensor] of tensors.entries()) {
    signal.throwIfAborted();
    const { histogram } = observed.get(tensor.value.name)!;
    chosen.set(tensor.value, chooseRange(tensor, histogram, PROFILES[profile], calibrator));
    progress(0.8 + (0.1 * i) / tensors.length, 'choosing ranges');
    // Ranges take a while together: let signals and progress through.
    if (i % 8 === 7) await new Promise(setImmediate);
  }
  return chosen;
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
