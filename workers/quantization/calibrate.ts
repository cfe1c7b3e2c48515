/** @file One pass over the calibration images for every tensor at once. */

import { ServiceError } from '../../src/contract/errors.ts';
import { cloneModel } from '../onnx/clone.ts';
import type { Model } from '../onnx/graph.ts';
import { type Feed, freeResults, openSession } from '../runtime/session.ts';
import { ChannelMoments } from './channel-moments.ts';
import { HalfWidths } from './halves.ts';
import { Histogram } from './histogram.ts';
import type { QuantizedTensor } from './placement.ts';

/** Values counted per tensor and image; extremes are taken of all of them. */
const SAMPLE = 1 << 15;

/** Channels are watched on this many images: how loud they are against each other settles soon. */
const CHANNEL_IMAGES = 16;

/** What is remembered of a tensor. */
export interface Observed {
  readonly histogram: Histogram;
  readonly channels: ChannelMoments;
  /** How wide it is in each half of the images. */
  readonly widths: HalfWidths;
}

export interface CalibrationOptions {
  /** How many `feeds` gives. */
  readonly images: number;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  /** @param done images so far */
  readonly onImage: (done: number) => void;
}

/**
 * Run the float model over `feeds` and remember each tensor's distribution. Memory: one image's tensors and one
 * histogram (128 KiB) per tensor, whatever the number of images.
 *
 * @throws ACTIVATION_NOT_FINITE a tensor held NaN or infinity, by name
 */
export async function calibrate(
  model: Model,
  tensors: readonly QuantizedTensor[],
  feeds: AsyncIterable<Readonly<Record<string, Feed>>>,
  options: CalibrationOptions,
): Promise<Map<string, Observed>> {
  const observed = new Map<string, Observed>(
    tensors.map(({ value, activation }) => [
      value.name,
      {
        histogram: new Histogram(),
        channels: new ChannelMoments(activation),
        widths: new HalfWidths(),
      },
    ]),
  );
  const inputs = new Set(model.graph.inputs.map((v) => v.name));
  const taps = [...observed.keys()].filter((name) => !inputs.has(name));
  // A model whose only quantized tensor is its input has nothing to run for.
  const session =
    taps.length === 0
      ? undefined
      : await openSession(tapped(model, taps), {
          threads: options.threads,
          provider: options.provider,
          // Memory planned ahead would hold every tensor beside the copies that come out.
          memoryPattern: false,
        });
  try {
    let done = 0;
    for await (const feed of feeds) {
      options.signal.throwIfAborted();
      const results = session ? await session.run(feed, taps) : {};
      const half = 2 * done < options.images ? 0 : 1;
      for (const [name, { histogram, channels, widths }] of observed) {
        const tensor = results[name] ?? feed[name];
        if (!tensor) continue;
        widths.add(half, histogram.add(tensor.data as Float32Array, SAMPLE));
        if (done < CHANNEL_IMAGES) channels.add(tensor.data as Float32Array, tensor.dims);
      }
      freeResults(results);
      options.onImage(++done);
    }
  } finally {
    await session?.release();
  }
  for (const [name, { histogram }] of observed)
    if (!histogram.finite) throw new ServiceError('ACTIVATION_NOT_FINITE', { tensor: name });
  return observed;
}

/** A copy whose outputs are just the named tensors. */
function tapped(model: Model, names: readonly string[]): Model {
  const copy = cloneModel(model);
  const made = new Map(
    copy.graph.nodes.flatMap((n) => n.outputs).flatMap((v) => (v ? [[v.name, v] as const] : [])),
  );
  copy.graph.outputs = names.map((name) => made.get(name)!);
  return copy;
}
