/** @file Outputs that cannot be right whatever the image: every score equal, or no number at all. */

import { openFloatSession } from '../runtime/float-session.ts';
import type { Feed } from '../runtime/session.ts';
import { imageFeed, toPlanes } from '../tasks/feed.ts';
import { type OutputPart, scorePart } from '../tasks/output-parts.ts';
import type { Plane, TaskBinding } from '../tasks/task.ts';

/** Looks at the scores of every run of one model. */
export class OutputWatch {
  readonly #part: OutputPart | undefined;
  #least = Number.POSITIVE_INFINITY;
  #most = Number.NEGATIVE_INFINITY;
  #runs = 0;
  #notNumbers = 0;

  constructor(binding: TaskBinding) {
    this.#part = scorePart(binding);
  }

  see(outputs: Readonly<Record<string, Plane>>): void {
    if (this.#part === undefined) return;
    this.#runs++;
    let bad = false;
    for (const chunk of this.#part.chunks(outputs[this.#part.output]!)) {
      for (const score of chunk) {
        if (Number.isNaN(score)) bad = true;
        if (score < this.#least) this.#least = score;
        if (score > this.#most) this.#most = score;
      }
    }
    if (bad) this.#notNumbers++;
  }

  /** In words, what is wrong. Empty while the scores look alive. */
  warnings(): string[] {
    const warnings: string[] = [];
    const { output } = this.#part ?? {};
    if (this.#runs > 0 && this.#least === this.#most)
      warnings.push(
        `Every class score of output '${output}' is ${this.#least} on every image: the scores are broken, and the model finds nothing. A quantizer that gives boxes and scores one scale does this.`,
      );
    if (this.#notNumbers > 0)
      warnings.push(`Output '${output}' holds NaN on ${this.#notNumbers} of ${this.#runs} images.`);
    return warnings;
  }
}

/**
 * Whether a model's scores are broken, without a data set: it is run on two made-up pictures.
 *
 * @returns in words what is wrong; empty where nothing is, or the task has no scores
 */
export async function findBrokenScores(
  model: Uint8Array,
  binding: TaskBinding,
): Promise<readonly string[]> {
  if (binding.input === undefined || scorePart(binding) === undefined) return [];
  const watch = new OutputWatch(binding);
  const session = await openFloatSession(model);
  try {
    for (const feed of madeUpPictures(binding))
      watch.see(toPlanes(await session.run({ [binding.input.name]: feed })));
  } finally {
    await session.release();
  }
  return watch.warnings();
}

/** A smooth picture and a busy one, in the input's range. */
function* madeUpPictures({ input, preprocess }: TaskBinding): Generator<Feed> {
  if (input === undefined) return;
  const [h, w] = input.size;
  const value = (byte: number, c: number) =>
    (byte * preprocess.scale - (preprocess.mean[c] ?? 0)) / (preprocess.std[c] ?? 1);
  const smooth = (y: number, x: number, c: number) => 255 * (c % 2 === 0 ? x / w : y / h);
  const busy = (y: number, x: number, c: number) =>
    128 + 127 * Math.sin(x * 0.37 * (c + 1)) * Math.cos(y * 0.23);
  for (const picture of [smooth, busy]) {
    const planes = Float32Array.from({ length: input.channels * h * w }, (_, i) => {
      const c = Math.floor(i / (h * w));
      return value(picture(Math.floor(i / w) % h, i % w, c), c);
    });
    yield imageFeed(planes, input);
  }
}
