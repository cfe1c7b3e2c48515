/** @file From a survey to a quantized graph: where integers go, in which format, and the Q/DQ pairs that say so. */

import type { Graph, Model, Node } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { chooseRange } from './choose-range.ts';
import { type Inserted, insertQdq } from './insert-qdq.ts';
import { integerOutputs } from './integer-io.ts';
import { matcher } from './matcher.ts';
import { FLOAT_SHARE, type Placement, place } from './placement.ts';
import { PRECISIONS, type Precision } from './precisions.ts';
import { PROFILES, type Profile } from './profiles.ts';
import type { Quantizer } from './scale.ts';
import type { QuantizeOptions } from './settings.ts';
import { shareScales } from './share-scales.ts';
import type { Survey } from './survey.ts';
import type { QuantizedWeights } from './weights.ts';

/** What is not to be in the precision's 8 bits, however cheap that would be. */
export interface Relief {
  /** Results of products that stay in float, and why. */
  readonly float: ReadonlyMap<string, string>;
  /** Tensors that get 16 bits. */
  readonly wide: ReadonlySet<string>;
}

export const NO_RELIEF: Relief = { float: new Map(), wide: new Set() };

/** Weights that were turned into integers before, by their float tensors: for one model written several ways. */
export type WeightCache = Map<Tensor, QuantizedWeights>;

export interface Written {
  readonly placement: Placement;
  /** By the tensor's name in the float model. */
  readonly quantizers: ReadonlyMap<string, Quantizer>;
  readonly inserted: Inserted;
  /** Share of the Convs' MACs whose inputs and weights are integers of the precision's width. */
  readonly convMacs: number;
}

/** @param model the surveyed model or a copy of it; changed in place */
export function writeSurvey(
  model: Model,
  found: Survey,
  options: Pick<QuantizeOptions, 'precision' | 'profile' | 'keepFloat' | 'calibrator' | 'io'>,
  relief: Relief = NO_RELIEF,
  cache?: WeightCache,
): Written {
  const { graph } = model;
  const precision: Precision = PRECISIONS[options.precision];
  const profile = PROFILES[options.profile] as Profile;
  const macs = new Map(graph.nodes.map((n, i) => [n, found.macs[i]!]));
  const placement = place(graph, {
    profile,
    keepFloat: matcher(options.keepFloat, graph, 'keepFloat'),
    macs,
    floatShare: FLOAT_SHARE,
    drowned: found.drowned,
    relieved: relief.float,
    ...(options.io === 'quantized' && { outputs: integerOutputs(graph) }),
  });
  const quantizers = new Map(
    placement.tensors.map((t) => [t.value, quantizerFor(t.value.name, found, relief, options)]),
  );
  shareScales(graph, profile.shares, quantizers);
  const byName = new Map([...quantizers].map(([value, q]) => [value.name, q]));
  const narrow = placement.products.filter(
    (n) => !relief.wide.has(n.inputs[0]?.name ?? '') && !relief.wide.has(n.inputs[1]?.name ?? ''),
  );
  const convMacs = shareOfConvMacs(graph, narrow, macs);
  const inserted = insertQdq(graph, placement.products, placement.tensors, quantizers, {
    weights: { format: precision.weights, range: 'mse', reduceRange: found.reduceRange },
    biases: precision.biases === 'float' ? 'float' : profile.biases,
    means: new Map(
      placement.tensors
        .filter((t) => t.activation === undefined)
        .map(({ value }) => [value, found.observed.get(value.name)!.channels.means()]),
    ),
    ...(cache && { cache }),
  });
  return { placement, quantizers: byName, inserted, convMacs };
}

function quantizerFor(
  name: string,
  found: Survey,
  { wide }: Relief,
  { profile, calibrator }: Pick<QuantizeOptions, 'profile' | 'calibrator'>,
): Quantizer {
  if (!wide.has(name)) return found.chosen.get(name)!.quantizer;
  const tensor = found.tensors.find((t) => t.value.name === name)!;
  const { histogram } = found.observed.get(name)!;
  return chooseRange(tensor, histogram, PROFILES[profile].activations[16]!, calibrator).quantizer;
}

function shareOfConvMacs(
  graph: Graph,
  products: readonly Node[],
  macs: ReadonlyMap<Node, number>,
): number {
  const cost = (nodes: readonly Node[]) =>
    nodes.filter((n) => n.op === 'Conv').reduce((sum, n) => sum + macs.get(n)!, 0);
  const total = cost(graph.nodes);
  return total === 0 ? 0 : cost(products) / total;
}
