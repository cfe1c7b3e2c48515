/** @file One pass over the calibration images for every tensor at once. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Model } from '../onnx/graph.ts';
import { type Feed, freeResults, openSession, type Session } from '../runtime/session.ts';
import { withOutputs } from '../runtime/taps.ts';
import { ChannelMoments } from './channel-moments.ts';
import { HalfWidths } from './halves.ts';
import { Histogram } from './histogram.ts';
import type { QuantizedTensor } from './placement.ts';
import { type Results, type Summarized, summarize } from './summaries.ts';

/** Values counted per tensor and image; extremes are taken of all of them. */
const SAMPLE = 1 << 15;

/**
 * On this many images tensors are seen whole: how loud channels are against each other settles soon. From then on large ones are summed
 * up where they are computed, which costs a third of handing them out.
 */
const WHOLE_IMAGES = 16;

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
  const runs = new Runs(
    model,
    [...observed.keys()].filter((name) => !inputs.has(name)),
    options,
  );
  try {
    let done = 0;
    for await (const feed of feeds) {
      options.signal.throwIfAborted();
      if (done === WHOLE_IMAGES) await runs.sumUp();
      const { results, summaryOf } = await runs.run(feed);
      const half = 2 * done < options.images ? 0 : 1;
      for (const [name, { histogram, channels, widths }] of observed) {
        const summary = summaryOf(name);
        if (summary) {
          const { min, max, finite, sample } = summary;
          widths.add(half, histogram.see(finite ? min : Number.NaN, max, sample));
          continue;
        }
        const tensor = results[name] ?? feed[name];
        if (!tensor) continue;
        widths.add(half, histogram.add(tensor.data as Float32Array, SAMPLE));
        if (done < WHOLE_IMAGES) channels.add(tensor.data as Float32Array, tensor.dims);
      }
      freeResults(results);
      options.onImage(++done);
    }
  } finally {
    await runs.close();
  }
  for (const [name, { histogram }] of observed)
    if (!histogram.finite) throw new ServiceError('ACTIVATION_NOT_FINITE', { tensor: name });
  return observed;
}

/** The model with its tensors as outputs: first whole, then, of the large ones whose size never changed, summaries. */
class Runs {
  readonly #model: Model;
  readonly #names: readonly string[];
  readonly #options: CalibrationOptions;
  /** Values of each tensor; undefined: not the same number in all runs. */
  readonly #lengths = new Map<string, number | undefined>();
  #session: Session | undefined;
  #summarized: Summarized | undefined;

  constructor(model: Model, names: readonly string[], options: CalibrationOptions) {
    this.#model = model;
    this.#names = names;
    this.#options = options;
  }

  async run(feed: Readonly<Record<string, Feed>>) {
    // A model whose only quantized tensor is its input has nothing to run for.
    if (this.#names.length === 0) return { results: {}, summaryOf: () => undefined };
    this.#session ??= await this.#open(withOutputs(this.#model, this.#names));
    const results = await this.#session.run(feed);
    const summarized = this.#summarized;
    if (!summarized) this.#remember(results);
    return { results, summaryOf: (name: string) => summarized?.summaryOf(name, results) };
  }

  async sumUp(): Promise<void> {
    const large = new Map(
      [...this.#lengths].filter((one): one is [string, number] => (one[1] ?? 0) > SAMPLE),
    );
    if (large.size === 0) return;
    await this.close();
    const whole = this.#names.filter((name) => !large.has(name));
    this.#summarized = summarize(this.#model, large, whole, SAMPLE);
    this.#session = await this.#open(this.#summarized.model);
  }

  async close(): Promise<void> {
    await this.#session?.release();
    this.#session = undefined;
  }

  #remember(results: Results): void {
    for (const name of this.#names) {
      const { length } = results[name]!.data;
      const same = !this.#lengths.has(name) || this.#lengths.get(name) === length;
      this.#lengths.set(name, same ? length : undefined);
    }
  }

  #open(model: Model): Promise<Session> {
    const { threads, provider } = this.#options;
    // Memory planned ahead would hold every tensor beside the copies that come out.
    return openSession(model, { threads, provider, memoryPattern: false });
  }
}
