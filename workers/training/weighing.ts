/** @file The companion's part in a run: what it says of a batch, weights in force, norms that these follow. */

import type { Feed } from '../runtime/session.ts';
import type { MixedBatch } from './batches/mixed.ts';
import type { BoundCompanion } from './companion.ts';
import type { StepResult, Trainer } from './trainer.ts';

export type FedBatch = MixedBatch & { readonly feeds: Readonly<Record<string, Feed>> };

const scalars = (numbers: Readonly<Record<string, number>>): Record<string, Feed> =>
  Object.fromEntries(
    Object.entries(numbers).map(([name, x]) => [name, { dims: [], data: Float32Array.of(x) }]),
  );

/** Without a companion every call does nothing. */
export class Weighing {
  readonly #companion: BoundCompanion | undefined;
  readonly #trainer: Trainer;

  constructor(companion: BoundCompanion | undefined, trainer: Trainer) {
    this.#companion = companion;
    this.#trainer = trainer;
  }

  /** The batch with what the other model says of it. */
  async told(batch: MixedBatch): Promise<FedBatch> {
    return { ...batch, feeds: (await this.#companion?.feeds(batch)) ?? {} };
  }

  /** The batches with the weights of the next step, once the norms that these need are measured on the first. */
  async weighed(batches: readonly FedBatch[]): Promise<readonly FedBatch[]> {
    const weights = this.#companion?.weights;
    if (weights === undefined) return batches;
    const norms: Record<string, number> = {};
    const first = batches.find((batch) => batch.labelled);
    if (first !== undefined)
      for (const probe of weights.probes(this.#trainer.step + 1)) {
        const feeds = { ...first.feeds, ...scalars(probe.scalars) };
        norms[probe.name] = await this.#trainer.norm({ ...first, feeds });
      }
    if (Object.keys(norms).length > 0) weights.probed(norms);
    return batches.map((batch) => ({
      ...batch,
      feeds: { ...batch.feeds, ...scalars(weights.scalars(batch.labelled)) },
    }));
  }

  stepped({ parts }: StepResult, progress: number): void {
    this.#companion?.weights.stepped(parts, progress);
  }

  judged(student: number): Readonly<Record<string, number>> {
    return this.#companion?.weights.judged(student) ?? {};
  }

  shown(): Readonly<Record<string, number>> {
    return this.#companion?.weights.shown() ?? {};
  }

  state(): unknown {
    return this.#companion?.weights.state();
  }

  restore(state: unknown): void {
    if (state !== undefined) this.#companion?.weights.restore(state);
  }
}
