/** @file Channels of a tensor made as loud as each other, where the layers around it can take the factors up exactly. */

import { cloneModel } from '../../onnx/clone.ts';
import type { Model } from '../../onnx/graph.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { floatsOf } from '../../onnx/values.ts';
import { inferTypes } from '../../runtime/infer-types.ts';
import { freeResults, openSession } from '../../runtime/session.ts';
import { withOutputs } from '../../runtime/taps.ts';
import { channelsOf } from '../channels.ts';
import type { QuantizeOptions } from '../settings.ts';
import { type Pair, pairsOf, type Scaled } from './pairs.ts';

/** Images on which the loudness of channels is measured. */
const IMAGES = 16;

/** Factors are powers of two (the float model stays the same to the bit) and no larger than 2 to this. */
const MOST = 6;

export interface Equalized {
  readonly model: Model;
  /** Names of the tensors whose channels were evened out. */
  readonly tensors: readonly string[];
}

/**
 * The factor of channel c, with x what the tensor holds and w what reads it:
 *
 *     s[c] = 2^round(log2 √(max|x[c]| / max|w[·, c]|)),  around the mean of all channels
 *
 * x is divided by s, w multiplied by it. Between a norm and a MatMul that is SmoothQuant with α = 0.5 (Xiao et al., ICML 2023,
 * https://arxiv.org/abs/2211.10438), between two Convs cross-layer equalization (Nagel et al., ICCV 2019,
 * https://arxiv.org/abs/1906.04721) by what activations hold, since weights have a scale per output anyway.
 *
 * @returns a copy that computes the same; undefined where no factor can move
 */
export async function equalize(
  model: Model,
  options: QuantizeOptions,
): Promise<Equalized | undefined> {
  const copy = cloneModel(model);
  await inferTypes(copy);
  const pairs = pairsOf(copy.graph);
  if (pairs.length === 0) return undefined;
  const loudness = await measure(copy, pairs, options);
  const tensors = pairs.flatMap((pair) => {
    const powers = powersOf(loudness.get(pair.tensor.name)!, pair.readers);
    if (powers.every((p) => p === 0)) return [];
    for (const scaled of pair.makers)
      multiply(
        scaled,
        powers.map((p) => -p),
      );
    for (const scaled of pair.readers) multiply(scaled, powers);
    return [pair.tensor.name];
  });
  return tensors.length === 0 ? undefined : { model: copy, tensors };
}

/** max|x| of every channel, over the images. */
async function measure(
  model: Model,
  pairs: readonly Pair[],
  { feeds, threads, provider, signal }: QuantizeOptions,
): Promise<Map<string, Float64Array>> {
  const loudness = new Map(pairs.map((p) => [p.tensor.name, new Float64Array(p.channels)]));
  const session = await openSession(withOutputs(model, loudness.keys()), { threads, provider });
  try {
    for await (const feed of feeds(0, IMAGES)) {
      signal.throwIfAborted();
      const seen = await session.run(feed);
      for (const { tensor, axis } of pairs) {
        const { data, dims } = seen[tensor.name]!;
        raise(loudness.get(tensor.name)!, data as Float32Array, dims, axis);
      }
      freeResults(seen);
    }
  } finally {
    await session.release();
  }
  return loudness;
}

function raise(most: Float64Array, data: Float32Array, dims: readonly number[], axis: number) {
  const channels = channelsOf(dims, axis);
  for (let c = 0; c < most.length; c++)
    channels.each(c, (i) => {
      const x = Math.abs(data[i]!);
      if (x > most[c]!) most[c] = x;
    });
}

/** Exponents of the factors. Channels that hold or are read as nothing keep theirs. */
function powersOf(loudness: Float64Array, readers: readonly Scaled[]): number[] {
  const read = new Float64Array(loudness.length);
  for (const { value, axis } of readers)
    raise(read, floatsOf(value.constant!), value.constant!.dims, axis);
  const half = Array.from(loudness, (x, c) =>
    x > 0 && read[c]! > 0 ? 0.5 * Math.log2(x / read[c]!) : Number.NaN,
  );
  const known = half.filter((h) => !Number.isNaN(h));
  const mean = known.reduce((a, b) => a + b, 0) / Math.max(1, known.length);
  return half.map((h) =>
    Number.isNaN(h) ? 0 : Math.max(-MOST, Math.min(MOST, Math.round(h - mean))),
  );
}

/** Multiply each channel by 2 to its power. */
function multiply({ value, axis }: Scaled, powers: readonly number[]): void {
  const { dims } = value.constant!;
  const data = floatsOf(value.constant!).slice();
  const channels = channelsOf(dims, axis);
  for (const [c, p] of powers.entries())
    channels.each(c, (i) => {
      data[i] = data[i]! * 2 ** p;
    });
  value.constant = Tensor.float32(dims, data);
}
