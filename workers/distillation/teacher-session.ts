/** @file The teacher at work: beside the student, on the very images that it sees; remembered where these come again. */

import type { Model } from '../onnx/graph.ts';
import { shapeOf } from '../onnx/static-shapes.ts';
import { type Feed, openSession, type Session } from '../runtime/session.ts';
import type { TrainBatch } from '../training/batches/messages.ts';

/** What the teacher makes for the training graph: a value of its own graph, and the input that takes it. */
export interface Taught {
  /** Output of the teacher's graph. */
  readonly output: string;
  /** Input of the training graph, and its shape: the first axis is images. */
  readonly input: string;
  readonly dims: readonly number[];
}

/** Bytes of outputs that are kept, where images come again unchanged. */
const MEMORY = 256 * 2 ** 20;

type Tensors = Readonly<Record<string, Float32Array>>;

export class TeacherSession {
  readonly #session: Session;
  readonly #image: string;
  readonly #batch: number;
  readonly #taught: readonly Taught[];
  readonly #known: Map<string, Tensors> | undefined;
  #bytes = 0;

  /**
   * @param image its input, batch fixed
   * @param repeats whether an image's name says what its pixels are: nothing is augmented
   */
  static async open(
    model: Model,
    image: string,
    taught: readonly Taught[],
    options: { readonly threads: number; readonly provider: string; readonly repeats: boolean },
  ): Promise<TeacherSession> {
    const session = await openSession(model, options);
    const input = model.graph.inputs.find((v) => v.name === image)!;
    return new TeacherSession(session, image, shapeOf(input)[0]!, taught, options.repeats);
  }

  private constructor(
    session: Session,
    image: string,
    batch: number,
    taught: readonly Taught[],
    repeats: boolean,
  ) {
    this.#session = session;
    this.#image = image;
    this.#batch = batch;
    this.#taught = taught;
    this.#known = repeats ? new Map() : undefined;
  }

  async feeds(batch: TrainBatch): Promise<Readonly<Record<string, Feed>>> {
    const images = await this.#perImage(batch);
    return Object.fromEntries(
      this.#taught.map(({ input, dims }) => {
        const data = new Float32Array(dims.reduce((n, d) => n * d, 1));
        const each = data.length / images.length;
        for (const [i, one] of images.entries()) data.set(one[input]!, i * each);
        return [input, { dims, data }];
      }),
    );
  }

  /** Every image's outputs, by the inputs that take them. */
  async #perImage({ images, dims, ids }: TrainBatch): Promise<Tensors[]> {
    const found: (Tensors | undefined)[] = ids.map((id) => this.#known?.get(id));
    const open = [...found.keys()].filter((i) => found[i] === undefined);
    for (let at = 0; at < open.length; at += this.#batch) {
      const places = open.slice(at, at + this.#batch);
      for (const [k, tensors] of (await this.#run(images, dims, places)).entries()) {
        found[places[k]!] = tensors;
        this.#keep(ids[places[k]!]!, tensors);
      }
    }
    return found as Tensors[];
  }

  /** Fewer images than a run takes are filled up with the last. */
  async #run(
    images: Float32Array,
    dims: readonly number[],
    places: readonly number[],
  ): Promise<Tensors[]> {
    const each = images.length / dims[0]!;
    const data = new Float32Array(this.#batch * each);
    for (let k = 0; k < this.#batch; k++) {
      const place = places[Math.min(k, places.length - 1)]!;
      data.set(images.subarray(place * each, (place + 1) * each), k * each);
    }
    const feed = { dims: [this.#batch, ...dims.slice(1)], data };
    const results = await this.#session.run({ [this.#image]: feed });
    return places.map((_, k) =>
      Object.fromEntries(
        this.#taught.map(({ output, input }) => {
          const all = results[output]!.data as Float32Array;
          const size = all.length / this.#batch;
          return [input, all.slice(k * size, (k + 1) * size)];
        }),
      ),
    );
  }

  /** The first come stay: every epoch asks for all of them, so that replacing one would only lose another. */
  #keep(id: string, tensors: Tensors): void {
    const bytes = Object.values(tensors).reduce((n, t) => n + t.byteLength, 0);
    if (this.#known === undefined || this.#bytes + bytes > MEMORY) return;
    this.#known.set(id, tensors);
    this.#bytes += bytes;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
