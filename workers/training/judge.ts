/** @file How good weights are: the metric that decides inside a stage, on images kept out of training. */

import type { Sample } from '../data/dataset.ts';
import { agreement } from '../evaluation/agreement.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import type { Model } from '../onnx/graph.ts';
import { isLabelled } from '../tasks/labelled.ts';
import type { Evaluation, TaskBinding } from '../tasks/task.ts';

/** Images that one judgement looks at, at most. */
const MOST_IMAGES = 500;

/** Those of the tune images that are looked at. */
export const judgedOf = (tune: readonly Sample[]): readonly Sample[] => tune.slice(0, MOST_IMAGES);

export interface JudgeOptions {
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  /** What agreement is measured against, of the judged images; default: the first model judged. */
  readonly reference?: Evaluation | undefined;
}

/** The task's headline metric where the images are labelled, else agreement: with the reference, or the model as it came. */
export class Judge {
  readonly samples: readonly Sample[];
  readonly #binding: TaskBinding;
  readonly #options: JudgeOptions;
  #reference: Evaluation | undefined;

  constructor(samples: readonly Sample[], binding: TaskBinding, options: JudgeOptions) {
    this.samples = judgedOf(samples);
    this.#binding = binding;
    this.#options = options;
    this.#reference = options.reference;
  }

  /** What `judge` returns is called. */
  get metric(): string {
    return this.#labelled ? this.#binding.headline : 'agreement';
  }

  /** @returns 0…1, more is better */
  async judge(model: Model): Promise<number> {
    const found = await evaluate(model, this.#binding, this.samples, this.#options);
    if (this.#labelled) return found.metrics[this.#binding.headline] ?? 0;
    this.#reference ??= found;
    return agreement(this.#reference, found, this.#binding);
  }

  get #labelled(): boolean {
    return isLabelled(this.#binding.task, this.samples);
  }
}
