/** @file What must be known of a float model before any of it becomes integers: costs, distributions, ranges. */

import { setImmediate } from 'node:timers/promises';
import { ServiceError } from '../../src/contract/errors.ts';
import { type Graph, type Model, type Node, nodeLabel } from '../onnx/graph.ts';
import { isTrained, weightIndex } from '../onnx/trained.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { floatsOf } from '../onnx/values.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { calibrate, type Observed } from './calibrate.ts';
import { type Chosen, chooseRange } from './choose-range.ts';
import { convsBehind, DROWNED, signalLost } from './drowned.ts';
import { disagreement } from './halves.ts';
import { integerOutputs } from './integer-io.ts';
import { macsAt } from './macs-at.ts';
import { matcher } from './matcher.ts';
import { place, type QuantizedTensor } from './placement.ts';
import { PRECISIONS, type PrecisionName } from './precisions.ts';
import { type Activations, PROFILES, type Profile, type ProfileName } from './profiles.ts';
import { needsReducedRange } from './saturation.ts';
import type { QuantizeOptions } from './settings.ts';

/** Tensors go by their names, nodes by their places: it holds for every copy of the model. */
export interface Survey {
  /** MACs of each node, in graph order. */
  readonly macs: readonly number[];
  /** Every tensor that any placement can want. */
  readonly tensors: readonly QuantizedTensor[];
  readonly observed: ReadonlyMap<string, Observed>;
  readonly chosen: ReadonlyMap<string, Chosen>;
  /** Tensors that one scale cannot hold, and the share of signal that the layer behind them would lose. */
  readonly drowned: ReadonlyMap<string, number>;
  readonly reduceRange: boolean;
  /** What is odd about the images, in words. */
  readonly warnings: readonly string[];
}

const NO_PRODUCT = 'no Conv, ConvTranspose, Gemm or MatMul has a trained weight';

/**
 * One pass over the calibration images. Fills the types of `model`, and leaves it as it is otherwise.
 *
 * @throws NOTHING_TO_QUANTIZE · WEIGHT_NOT_FINITE · ACTIVATION_NOT_FINITE · OPTIONS_CONFLICT · PATTERN_MATCHES_NOTHING
 */
export async function survey(model: Model, options: QuantizeOptions): Promise<Survey> {
  const { graph } = model;
  activationsFor(options.profile, options.precision);
  for (const node of graph.nodes) expectFiniteWeights(node);
  await inferTypes(model);
  const macs = await macsAt(model, options.inputDims);
  const { tensors } = place(graph, {
    profile: PROFILES[options.profile] as Profile,
    keepFloat: matcher(options.keepFloat, graph, 'keepFloat'),
    macs,
    floatShare: 0,
    drowned: new Map(),
    ...(options.io === 'quantized' && { outputs: integerOutputs(graph) }),
  });
  if (!graph.nodes.some(isTrained))
    throw new ServiceError('NOTHING_TO_QUANTIZE', {
      precision: options.precision,
      why: NO_PRODUCT,
    });
  const observed = await observe(model, tensors, options);
  const chosen = await chooseRanges(tensors, observed, options);
  return {
    macs: graph.nodes.map((n) => macs.get(n)!),
    tensors,
    observed,
    chosen,
    drowned: drownedTensors(graph, tensors, observed, chosen),
    reduceRange: await reducedRange(options),
    warnings: oddImages(observed),
  };
}

function oddImages(observed: ReadonlyMap<string, Observed>): string[] {
  const widths = new Map([...observed].map(([name, { widths }]) => [name, widths]));
  const found = disagreement(widths);
  return found === undefined ? [] : [found];
}

async function reducedRange({ reduceRange, precision }: QuantizeOptions): Promise<boolean> {
  if (reduceRange !== 'auto') return reduceRange;
  return PRECISIONS[precision].activations === 8 && (await needsReducedRange());
}

const observe = (model: Model, tensors: readonly QuantizedTensor[], options: QuantizeOptions) =>
  calibrate(model, tensors, options.feeds(), {
    images: options.images,
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
): Promise<Map<string, Chosen>> {
  const activations = activationsFor(profile, precision);
  const chosen = new Map<string, Chosen>();
  for (const [i, tensor] of tensors.entries()) {
    signal.throwIfAborted();
    const { name } = tensor.value;
    chosen.set(name, chooseRange(tensor, observed.get(name)!.histogram, activations, calibrator));
    progress(0.8 + (0.1 * i) / tensors.length, 'choosing ranges');
    // Ranges take a while together: let signals and progress through.
    if (i % 8 === 7) await setImmediate();
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

function drownedTensors(
  graph: Graph,
  tensors: readonly QuantizedTensor[],
  observed: ReadonlyMap<string, Observed>,
  chosen: ReadonlyMap<string, Chosen>,
): Map<string, number> {
  const index = new GraphIndex(graph);
  const lost = tensors.map(({ value }) => {
    const variances = observed.get(value.name)!.channels.variances();
    const { scale } = chosen.get(value.name)!.quantizer;
    const losses = convsBehind(value, index).map((conv) => signalLost(conv, variances, scale));
    return [value.name, Math.max(0, ...losses)] as const;
  });
  return new Map(lost.filter(([, share]) => share > DROWNED));
}

/** @throws WEIGHT_NOT_FINITE a weight or bias is NaN or infinite, by name: before any image is run */
function expectFiniteWeights(node: Node): void {
  if (weightIndex(node) === undefined) return;
  for (const weight of node.inputs) {
    if (weight?.constant?.dtype !== 'float32') continue;
    if (floatsOf(weight.constant).every(Number.isFinite)) continue;
    throw new ServiceError('WEIGHT_NOT_FINITE', { tensor: weight.name, node: nodeLabel(node) });
  }
}
