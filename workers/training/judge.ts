/** @file How good weights are: the metric that decides inside a stage, on images kept out of training. */

import type { Sample } from '../data/dataset.ts';
import { agreement } from '../evaluation/agreement.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import type { Model } from '../onnx/graph.ts';
import { isLabelled } from '../tasks/labelled.ts';
import type { Evaluation, TaskBinding } from '../tasks/task.ts';

/** Images that one judgement looks at, at most. */
const MOST_IMAGES = 500;

export interface JudgeOptions {
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
}

/** The task's headline metric where the images are labelled, else agreement with the model as it came. */
export class Judge {
  readonly samples: readonly Sample[];
  readonly #binding: TaskBinding;
  readonly #options: JudgeOptions;
  #reference: Evaluation | undefined;

  constructor(samples: readonly Sample[], binding: TaskBinding, options: JudgeOptions) {
    this.samples = samples.slice(0, MOST_IMAGES);
    this.#binding = binding;
    this.#options = options;
  }

  /** What `judge` returns is called. */
  get metric(): string {
    return this.#labelled ? this.#binding.headline : 'agreement';
  }

  /** @returns 0…1, more is better. The first model judged is the reference of agreement. */
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
