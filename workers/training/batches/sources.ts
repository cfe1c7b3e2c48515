/** @file Samples to decoded images of about the input's size. */

import type { Source } from '../../data/augment/scene.ts';
import type { Sample } from '../../data/dataset.ts';
import { decodeImage, type Image } from '../../data/decode.ts';
import { type Geometry, place } from '../../data/geometry.ts';
import { resizeImage } from '../../data/resize.ts';
import { ImageCache } from './image-cache.ts';
import type { BatchPlan } from './messages.ts';

/** Crops show a part of the image only: they get more pixels to take it from. */
const CROP_DETAIL = 1.5;

type Size = readonly [height: number, width: number];

/** Images by sample index, as preprocessing places them, kept no larger than augmentation can show. */
export class Sources {
  readonly #plan: BatchPlan;
  readonly #images: ImageCache;
  /** Height and width of the file's image: known once it was decoded. */
  readonly #sizes = new Map<number, Size>();

  constructor(plan: BatchPlan) {
    this.#plan = plan;
    this.#images = new ImageCache(plan.cacheBytes, (index) => this.#load(index));
  }

  async get(index: number): Promise<Source & { readonly geometry: Geometry }> {
    const image = await this.#images.get(index);
    const geometry = this.#geometry(this.#sizes.get(index)!);
    return { image, rows: this.#plan.samples[index]!.boxes ?? [], fit: geometry, geometry };
  }

  async #load(index: number): Promise<Image> {
    const { file, name } = this.#plan.samples[index] as Sample;
    const image = await decodeImage(file, name);
    this.#sizes.set(index, [image.height, image.width]);
    const geometry = this.#geometry([image.height, image.width]);
    if (this.#plan.augment === false) return this.#finished(image, geometry);
    return reduced(image, geometry, this.#plan.task === 'classify' ? CROP_DETAIL : 1);
  }

  /** The very pixels that inference sees. */
  #finished(image: Image, geometry: Geometry): Image {
    const [height, width] = this.#plan.input.size;
    return {
      width,
      height,
      data: resizeImage(image, geometry, Math.round(this.#plan.preprocess.pad)),
    };
  }

  #geometry(image: Size): Geometry {
    return place(this.#plan.preprocess.resize, image, this.#plan.input.size);
  }
}

/** The image at no more than `detail` times its size in the input; never enlarged. */
function reduced(image: Image, whole: Geometry, detail: number): Image {
  const width = Math.min(image.width, Math.round(whole.width * detail));
  const height = Math.min(image.height, Math.round(whole.height * detail));
  if (width === image.width && height === image.height) return image;
  const sizes = { width, height, inputWidth: width, inputHeight: height, left: 0, top: 0 };
  return { width, height, data: resizeImage(image, { ...whole, ...sizes }, 0) };
}
