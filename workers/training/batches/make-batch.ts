/** @file One batch: its images decoded, augmented and normalised, its labels beside them. */

import { augment, type Picture } from '../../data/augment/augment.ts';
import { placedBoxes } from '../../data/augment/boxes.ts';
import { drawLambda, mix } from '../../data/augment/mixup.ts';
import type { AugmentOptions } from '../../data/augment/options.ts';
import { EVERYWHERE } from '../../data/augment/placement.ts';
import { planes } from '../../data/input.ts';
import type { Random } from '../../runtime/random.ts';
import { interleaved } from '../../tasks/feed.ts';
import type { BatchPlan, TrainBatch } from './messages.ts';
import { Schedule } from './schedule.ts';
import { Sources } from './sources.ts';
import { oneHot, stackLabels } from './stack-labels.ts';

/** A picture with what the loss wants of it. */
export interface Shown extends Picture {
  readonly name: string;
  readonly target: Float32Array<ArrayBuffer>;
}

/** Makes any step's batch; which steps it made before changes nothing. */
export class BatchMaker {
  readonly #plan: BatchPlan;
  readonly #schedule: Schedule;
  readonly #sources: Sources;
  /** Pixels of the picture in the making, and of the one that is mixed into it. */
  readonly #memory: readonly [Uint8Array, Uint8Array];

  constructor(plan: BatchPlan) {
    this.#plan = plan;
    this.#schedule = new Schedule({ ...plan, images: plan.samples.length });
    this.#sources = new Sources(plan);
    const [height, width] = plan.input.size;
    this.#memory = [new Uint8Array(3 * height * width), new Uint8Array(3 * height * width)];
  }

  /**
   * @param memory to write the images into, where it has the size
   * @throws IMAGE_UNREADABLE
   */
  async make(step: number, memory?: ArrayBuffer): Promise<TrainBatch> {
    const { batch, input } = this.#plan;
    const { size, channels, layout } = input;
    const each = size[0] * size[1] * channels;
    const fits = memory?.byteLength === 4 * batch * each;
    const images = new Float32Array(fits ? memory : new ArrayBuffer(4 * batch * each));
    const shown: Shown[] = [];
    for (let place = 0; place < batch; place++) {
      const one = await this.#shown(step, place);
      shown.push(one);
      this.#write(one.image.data, images.subarray(place * each, (place + 1) * each));
    }
    const dims = layout === 'NCHW' ? [batch, channels, ...size] : [batch, ...size, channels];
    const ids = shown.map((one) => one.name);
    return { images, dims, labels: stackLabels(this.#plan.labels, shown), ids };
  }

  #write(pixels: Uint8Array, into: Float32Array): void {
    const { preprocess, input } = this.#plan;
    const { channels, layout } = input;
    if (layout === 'NCHW') planes(pixels, preprocess, channels, into);
    else into.set(interleaved(planes(pixels, preprocess, channels), channels));
  }

  async #shown(step: number, place: number): Promise<Shown> {
    const { augment: options } = this.#plan;
    const rng = this.#schedule.rng(step, place);
    if (options === false) return this.#plain(this.#schedule.pick(step, place, 0, rng)[0]!);
    if (this.#plan.task !== 'classify') return this.#scene(step, place, options, rng);
    const [first, second] = this.#schedule.pick(step, place, 1, rng) as [number, number];
    const [memory, spare] = this.#memory;
    const shown = await this.#augmented([first], options, rng, memory);
    if (options.mixup === 0) return shown;
    const lambda = drawLambda(rng, options.mixup);
    const other = await this.#augmented([second], options, rng, spare);
    mix(shown.image.data, other.image.data, lambda);
    mix(shown.target, other.target, lambda);
    return shown;
  }

  #scene(step: number, place: number, options: AugmentOptions, rng: Random): Promise<Shown> {
    const closed = step >= this.#plan.totalSteps * (1 - options.closeMosaic);
    const joined = rng.uniform() < options.mosaic && !closed;
    const indices = this.#schedule.pick(step, place, joined ? 3 : 0, rng);
    return this.#augmented(indices, options, rng, this.#memory[0]);
  }

  async #augmented(
    indices: readonly number[],
    options: AugmentOptions,
    rng: Random,
    memory: Uint8Array,
  ): Promise<Shown> {
    const { task, preprocess, input } = this.#plan;
    const sources = await Promise.all(indices.map((index) => this.#sources.get(index)));
    const [height, width] = input.size;
    const draw = { options, rng, input: { width, height } };
    const picture = augment(task, sources, draw, Math.round(preprocess.pad), memory);
    return { ...picture, ...this.#told(indices[0]!) };
  }

  /** As inference sees it. */
  async #plain(index: number): Promise<Shown> {
    const { image, rows, geometry } = await this.#sources.get(index);
    const { imageWidth, imageHeight, scaleX, scaleY, left, top } = geometry;
    const place = {
      x: { scale: scaleX, shift: left },
      y: { scale: scaleY, shift: top },
      window: EVERYWHERE,
    };
    const whole = { width: imageWidth, height: imageHeight };
    return { image, boxes: placedBoxes(rows, whole, place, image), ...this.#told(index) };
  }

  #told(index: number): Pick<Shown, 'name' | 'target'> {
    const { name, label } = this.#plan.samples[index]!;
    return { name, target: oneHot(label, this.#plan.classes) };
  }
}
