/** @file When the images that decide have decided, they are trained on too. */

/** Share of a run after which the tune images may join: by then they have decided, and the rate has begun to fall. */
const JOIN_AT = 0.6;
/** Share of what training has gained that may be lost again since the best judgement: more is over-fitting. */
const LOSS = 0.1;

/** What a judgement tells. All metrics are those of the tune images. */
export interface Judged {
  /** Share of the run that is done, 0…1. */
  readonly share: number;
  readonly before: number;
  readonly best: number;
  readonly tune: number;
}

/**
 * A small data set can not spare a fifth of its images to the end of a long run. So the choice is made first and all
 * images are used afterwards, as one trains anew on all data once settings are validated: from a judgement at
 * `JOIN_AT` of the run or later, where training has gained and does not over-fit, the tune images join.
 *
 * From then on the metric on them is no longer independent: it is a guard, not a choice. Later weights are kept as
 * long as it does not fall below what it was when they joined.
 */
export class Refit {
  readonly #enabled: boolean;
  #joined: { readonly step: number; readonly metric: number } | undefined;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  get joined() {
    return this.#joined;
  }

  restore(joined: { readonly step: number; readonly metric: number } | undefined): void {
    this.#joined = joined;
  }

  /** @returns whether the images join now */
  joins(step: number, { share, before, best, tune }: Judged): boolean {
    if (!this.#enabled || this.#joined !== undefined || share < JOIN_AT || share >= 1) return false;
    const keeps = best > before && tune >= before + (1 - LOSS) * (best - before);
    if (keeps) this.#joined = { step, metric: tune };
    return keeps;
  }

  /** Whether weights of this metric are to be kept instead of the best ones so far. */
  better(tune: number, best: number): boolean {
    return this.#joined === undefined ? tune > best : tune >= this.#joined.metric;
  }
}
