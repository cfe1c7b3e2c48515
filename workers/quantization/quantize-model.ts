/** @file Post-training quantization of a whole model: place, calibrate, choose ranges, insert. */

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../src/contract/errors.ts';
import { macsOf } from '../onnx/cost.ts';
import { type Graph, type Model, type Node, nodeLabel, type Value } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { weightIndex } from '../onnx/trained.ts';
import { floatsOf } from '../onnx/values.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { type Feed, openSession } from '../runtime/session.ts';
import { calibrate } from './calibrate.ts';
import type { CalibratorContext, Range } from './calibrators/calibrator.ts';
import { meanSquaredError, occupied, quantizerFor } from './calibrators/mse.ts';
import { CALIBRATORS, type CalibratorName } from './calibrators/registry.ts';
import type { Histogram } from './histogram.ts';
import { insertQdq } from './insert-qdq.ts';
import { matcher } from './matcher.ts';
import { place, type QuantizedTensor } from './placement.ts';
import { PROFILES, type Profile, type ProfileName } from './profiles.ts';
import { needsReducedRange } from './saturation.ts';
import { asymmetric, type Quantizer } from './scale.ts';

export interface QuantizeOptions {
  readonly profile: ProfileName;
  readonly calibrator: CalibratorName | 'auto';
  readonly keepFloat: readonly string[];
  readonly reduceRange: boolean | 'auto';
  readonly images: number;
  readonly feeds: AsyncIterable<Readonly<Record<string, Feed>>>;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  /** Folder for the runtime's optimised graph. */
  readonly scratch: string;
  readonly progress: (done: number, doing: string) => void;
}

export interface TensorReport {
  readonly tensor: string;
  readonly min: number;
  readonly max: number;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly calibrator: string;
  /** Signal to rounding noise over the calibration images, dB. */
  readonly sqnrDb: number;
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
  const profile: Profile = PROFILES[options.profile];
  await inferTypes(model);
  const placement = place(
    model.graph,
    profile,
    matcher(options.keepFloat, model.graph, 'keepFloat'),
  );
  for (const node of model.graph.nodes) expectFiniteWeight(node);
  const convMacs8bit = shareOfConvMacs(model.graph, placement.products);
  const histograms = await calibrate(
    model,
    placement.tensors.map((t) => t.value),
    options.feeds,
    {
      threads: options.threads,
      provider: options.provider,
      signal: options.signal,
      onImage: (n) =>
        options.progress((0.8 * n) / options.images, `calibration image ${n} of ${options.images}`),
    },
  );
  const chosen = new Map<Value, Chosen>();
  for (const [i, tensor] of placement.tensors.entries()) {
    options.signal.throwIfAborted();
    chosen.set(
      tensor.value,
      chooseRange(tensor, histograms.get(tensor.value.name)!, profile, options.calibrator),
    );
    options.progress(0.8 + (0.15 * i) / placement.tensors.length, 'choosing ranges');
    // Ranges take a while together: let signals and progress through.
    if (i % 8 === 7) await new Promise(setImmediate);
  }
  const reduceRange =
    options.reduceRange === 'auto' ? await needsReducedRange() : options.reduceRange;
  const tensors = placement.tensors.map(({ value }) => report(value, chosen.get(value)!));
  const quantizers = new Map([...chosen].map(([value, c]) => [value, c.quantizer]));
  const { raisedChannels } = insertQdq(
    model.graph,
    placement.products,
    placement.tensors,
    quantizers,
    {
      weights: { format: 'int8', range: 'mse', reduceRange },
    },
  );
  options.progress(0.97, "counting fused ops in the runtime's graph");
  return {
    profile: options.profile,
    images: options.images,
    convMacs8bit,
    convs: model.graph.nodes.filter((n) => n.op === 'Conv').length,
    fusedConvs: await countFused(model, options),
    reduceRange,
    float: placement.float,
    tensors: tensors.sort((a, b) => a.sqnrDb - b.sqnrDb),
    warnings: Object.entries(raisedChannels).map(
      ([weight, channels]) =>
        `The scale of ${channels.length} nearly empty channel(s) of '${weight}' was raised so that their bias fits 32 bits.`,
    ),
  };
}

interface Chosen {
  readonly quantizer: Quantizer;
  readonly calibrator: CalibratorName;
  readonly histogram: Histogram;
}

/** `auto`: the range of every calibrator, and the one with the least error over the histogram. */
function chooseRange(
  { activation }: QuantizedTensor,
  histogram: Histogram,
  profile: Profile,
  name: CalibratorName | 'auto',
): Chosen {
  const context: CalibratorContext = {
    format: profile.activations,
    symmetric: false,
    ...(activation && { activation }),
  };
  const from = (calibrator: CalibratorName): Chosen & { range: Range } => {
    const range = CALIBRATORS[calibrator](histogram, context);
    return {
      range,
      calibrator,
      histogram,
      quantizer: asymmetric(range.min, range.max, profile.activations),
    };
  };
  if (name !== 'auto') return from(name);
  const bins = occupied(histogram, activation);
  const scored = (['mse', 'minmax', 'percentile'] as const).map((calibrator) => {
    const choice = from(calibrator);
    return {
      choice,
      error: meanSquaredError(bins, quantizerFor(choice.range, context), activation),
    };
  });
  return scored.reduce((best, s) => (s.error < best.error ? s : best)).choice;
}

function report(value: Value, { quantizer, calibrator, histogram }: Chosen): TensorReport {
  const bins = occupied(histogram, undefined);
  const noise = meanSquaredError(bins, quantizer, undefined);
  const signal = bins.x.reduce((sum, x, i) => sum + bins.weight[i]! * x * x, 0);
  return {
    tensor: value.name,
    min: histogram.min,
    max: histogram.max,
    scale: quantizer.scale,
    zeroPoint: quantizer.zeroPoint,
    calibrator,
    sqnrDb: noise === 0 ? 200 : Math.min(200, 10 * Math.log10(signal / noise)),
  };
}

/** @throws WEIGHT_NOT_FINITE a weight is NaN or infinite, by name: before any image is run */
function expectFiniteWeight(node: Node): void {
  const index = weightIndex(node);
  if (index === undefined) return;
  const weight = node.inputs[index]!;
  if (floatsOf(weight.constant!).every(Number.isFinite)) return;
  throw new ServiceError('WEIGHT_NOT_FINITE', { tensor: weight.name, node: nodeLabel(node) });
}

function shareOfConvMacs(graph: Graph, products: readonly Node[]): number {
  const convs = graph.nodes.filter((n) => n.op === 'Conv');
  const total = convs.reduce((sum, n) => sum + macsOf(n, graph), 0);
  const inside = convs
    .filter((n) => products.includes(n))
    .reduce((sum, n) => sum + macsOf(n, graph), 0);
  return total === 0 ? 0 : inside / total;
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
