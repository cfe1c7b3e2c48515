/** @file Decoded images, kept while they fit: JPEG is not decoded anew every epoch. */

import type { Image } from '../../data/decode.ts';

/** Least recently used images go first. Two requests for one image that is being decoded share the work. */
export class ImageCache {
  readonly #most: number;
  readonly #load: (index: number) => Promise<Image>;
  readonly #kept = new Map<number, Image>();
  readonly #loading = new Map<number, Promise<Image>>();
  #bytes = 0;

  /**
   * @param most bytes of pixels
   * @param load decodes the image of an index; always to the same pixels
   */
  constructor(most: number, load: (index: number) => Promise<Image>) {
    this.#most = most;
    this.#load = load;
  }

  async get(index: number): Promise<Image> {
    const known = this.#kept.get(index);
    if (known === undefined) return this.#loading.get(index) ?? this.#fetch(index);
    this.#kept.delete(index);
    this.#kept.set(index, known);
    return known;
  }

  #fetch(index: number): Promise<Image> {
    const loading = this.#load(index)
      .then((image) => this.#keep(index, image))
      .finally(() => this.#loading.delete(index));
    this.#loading.set(index, loading);
    return loading;
  }

  #keep(index: number, image: Image): Image {
    this.#kept.set(index, image);
    this.#bytes += image.data.length;
    for (const [oldest, { data }] of this.#kept) {
      if (this.#bytes <= this.#most) break;
      this.#kept.delete(oldest);
      this.#bytes -= data.length;
    }
    return image;
  }
}
