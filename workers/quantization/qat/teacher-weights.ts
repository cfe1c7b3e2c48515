/** @file Weights of what teaches a quantized model, and when its ranges stay. */

import type { Probe, StepWeights } from '../../training/companion.ts';
import { RANGE_GATE } from '../../training/flat-groups.ts';

/** Scalar inputs: weights of the two losses, where there are two. */
export const SCALARS = { float: 'float/weight', task: 'task/weight' } as const;

/** Norm of the task's gradient, as a share of the float model's: labels correct what that has wrong, and no more. */
const SHARE = 0.1;
/** Steps between measurements of the two. */
const EVERY = 50;

/**
 * w = 0.1·‖∇float‖ / ‖∇task‖, measured at the first step and every 50 after it. A trained model's own loss is large and its
 * gradient noise, while what it loses by rounding is small: with fixed weights the labels would drown the teacher.
 */
export class TeacherWeights implements StepWeights {
  readonly #until: number;
  readonly #labelled: boolean;
  #done = 0;
  #task = 0;

  /** @param until share of the run after which ranges stay @param labelled whether there is a task's loss */
  constructor(until: number, labelled: boolean) {
    this.#until = until;
    this.#labelled = labelled;
  }

  scalars(labelled: boolean): Readonly<Record<string, number>> {
    const gate = { [RANGE_GATE]: this.#done < this.#until ? 1 : 0 };
    return this.#labelled
      ? { ...gate, [SCALARS.float]: 1, [SCALARS.task]: labelled ? this.#task : 0 }
      : gate;
  }

  probes(step: number): readonly Probe[] {
    if (!this.#labelled || (step - 1) % EVERY !== 0) return [];
    const gate = { [RANGE_GATE]: 1 };
    return [
      { name: 'float', scalars: { ...gate, [SCALARS.float]: 1, [SCALARS.task]: 0 } },
      { name: 'task', scalars: { ...gate, [SCALARS.float]: 0, [SCALARS.task]: 1 } },
    ];
  }

  probed({ float = 0, task = 0 }: Readonly<Record<string, number>>): void {
    const weight = (SHARE * float) / task;
    if (Number.isFinite(weight)) this.#task = weight;
  }

  stepped(_losses: unknown, progress: number): void {
    this.#done = progress;
  }

  judged = () => ({});

  shown = (): Readonly<Record<string, number>> =>
    this.#labelled ? { taskWeight: this.#task } : {};

  state = () => ({ done: this.#done, task: this.#task });

  restore(state: unknown): void {
    const { done, task } = state as ReturnType<TeacherWeights['state']>;
    this.#done = done;
    this.#task = task;
  }
}
