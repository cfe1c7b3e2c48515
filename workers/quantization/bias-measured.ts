/** @file The mean error that rounding leaves in each channel of a layer's result, measured, and biases without it. */

import { floatOf } from '../onnx/attributes.ts';
import { type Model, type Node, Value } from '../onnx/graph.ts';
import { GraphIndex, replaceUses } from '../onnx/uses.ts';
import { type Feed, freeResults, type HostTensor, openSession } from '../runtime/session.ts';
import { withOutputs } from '../runtime/taps.ts';
import { activationOf } from './activation-of.ts';
import { ChannelErrors } from './channel-errors.ts';
import type { PlacedBias } from './insert-qdq.ts';

/** Every fourth image is not learned from. */
const CHECKED = 4;

export interface MeasureOptions {
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
}

/**
 * For every bias, itself plus
 *
 *     δ[c] = Σ f′(y)²·(y − ŷ) / Σ f′(y)²   over the positions of channel c
 *
 * y the float model's result of the layer, ŷ that of the rounded layer on what the layers around it would give it if they
 * made no error themselves, f the activation behind it: where f is flat, an error does no harm. So all layers are measured
 * in one pass, and none makes up for what is put right elsewhere. δ is taken only where images that it was not learned from
 * agree. Source: empirical bias correction, Nagel et al. 2019, https://arxiv.org/abs/1906.04721, weighed by f′².
 *
 * @param quantized with the biases as they were
 */
export async function measuredBiases(
  float: Model,
  quantized: Model,
  biases: readonly PlacedBias[],
  feeds: AsyncIterable<Readonly<Record<string, Feed>>>,
  options: MeasureOptions,
): Promise<ReadonlyMap<PlacedBias, Float32Array>> {
  const names = biases.map((b) => b.output);
  const truth = await openSession(withOutputs(float, names), options);
  const rounded = await openSession(layerByLayer(quantized, names), options);
  const errors = channelErrors(float, names);
  try {
    let image = 0;
    for await (const feed of feeds) {
      options.signal.throwIfAborted();
      const learn = image++ % CHECKED !== CHECKED - 1;
      const wanted = await truth.run(feed);
      const given = Object.entries(wanted).map(([name, y]): [string, Feed] => [inputOf(name), y]);
      const found = await rounded.run({ ...feed, ...Object.fromEntries(given) });
      for (const [name, sums] of errors) add(sums, learn, wanted[name]!, found[name]!);
      freeResults(found);
      freeResults(wanted);
    }
  } finally {
    await truth.release();
    await rounded.release();
  }
  return new Map(
    biases.map((b) => {
      const shift = errors.get(b.output)?.shift(b.plain.length);
      return [b, shift ? b.plain.map((x, c) => x + shift[c]!) : b.plain];
    }),
  );
}

const inputOf = (name: string) => `${name}/given`;

function add(sums: ChannelErrors, learn: boolean, y: HostTensor, rounded: HostTensor): void {
  sums.add(learn, y.data as Float32Array, rounded.data as Float32Array, y.dims);
}

function channelErrors({ graph }: Model, names: readonly string[]): Map<string, ChannelErrors> {
  const index = new GraphIndex(graph);
  const wanted = new Set(names);
  return new Map(
    graph.nodes.flatMap((node) => {
      const y = node.outputs[0];
      if (!y || !wanted.has(y.name) || !addsBias(node)) return [];
      const axis = node.op === 'Conv' || node.op === 'ConvTranspose' ? 'second' : 'last';
      return [[y.name, new ChannelErrors(activationOf(y, index)?.apply, axis)]];
    }),
  );
}

/** Whether the bias counts as it stands: a Gemm may scale it. */
const addsBias = (node: Node): boolean => node.op !== 'Gemm' || floatOf(node, 'beta', 1) === 1;

/** A copy that returns the named results, and whose nodes read given ones in their place. */
function layerByLayer(model: Model, names: readonly string[]): Model {
  const copy = withOutputs(model, names);
  const { graph } = copy;
  const outputs = [...graph.outputs];
  for (const y of outputs) {
    const given = new Value(inputOf(y.name), {
      kind: 'tensor',
      dtype: 'float32',
      shape: undefined,
    });
    replaceUses(graph, y, given);
    graph.inputs.push(given);
  }
  graph.outputs = outputs;
  return copy;
}
