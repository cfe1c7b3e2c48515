/** @file What the model as it came says of training images: targets of losses that need no labels. */

import type { Model, Value } from '../onnx/graph.ts';
import { openSession, type Session } from '../runtime/session.ts';
import { withOutputs } from '../runtime/taps.ts';
import type { Labels } from './batches/labels.ts';
import type { TrainBatch } from './batches/open.ts';

export class Reference {
  readonly #session: Session;
  readonly #image: string;
  readonly #values: readonly string[];

  /** @param values of `model`, which is left as it is */
  static async open(
    model: Model,
    values: readonly Value[],
    image: string,
    options: { readonly threads: number; readonly provider: string },
  ): Promise<Reference> {
    const names = values.map((v) => v.name);
    const session = await openSession(withOutputs(model, names), options);
    return new Reference(session, image, names);
  }

  private constructor(session: Session, image: string, values: readonly string[]) {
    this.#session = session;
    this.#image = image;
    this.#values = values;
  }

  async label({ images, dims }: Pick<TrainBatch, 'images' | 'dims'>): Promise<Labels> {
    const results = await this.#session.run({ [this.#image]: { dims, data: images } });
    const targets = this.#values.map((name) => [
      name,
      results[name]!.data as Float32Array<ArrayBuffer>,
    ]);
    return { kind: 'tensors', targets: Object.fromEntries(targets) };
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
