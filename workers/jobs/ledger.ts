/** @file What a job's stages make of `accept.maxDrop`: what each spent, what is left, and where a stage spent too much. */

import type { LedgerEntry, Report } from '../../src/contract/report.ts';
import type { Sample } from '../data/dataset.ts';
import { tuneSplit } from '../data/splits.ts';
import { agreement } from '../evaluation/agreement.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import type { Budget } from '../runtime/context.ts';
import { isLabelled } from '../tasks/labelled.ts';
import type { Evaluation, TaskBinding } from '../tasks/task.ts';
import { judgedOf } from '../training/judge.ts';
import { dropNoise } from './drop-noise.ts';
import type { Measuring } from './measure.ts';
import type { ModelFile } from './model-file.ts';
import type { PlannedStage } from './plan.ts';

/** A model on the way, and how its outputs are read. */
export interface Standing {
  readonly file: ModelFile;
  readonly binding: TaskBinding;
}

/** A result within the budget. */
interface Kept {
  /** Of the stage; INPUT: the job's input. */
  readonly index: number;
  readonly drop: number;
  /** Whether anything was spent for it. */
  readonly spent: boolean;
}

/** Standard deviations beyond which a drop is no luck. */
const SURE = 2;

/** In the place of a stage's index: the job's input. */
export const INPUT = -1;

type Tell = (done: number, doing: string) => void;

/**
 * Measured on the tune images (a seeded fifth of train): val decides acceptance and nothing else. Without train images, or for a
 * single stage, there is nothing to share out and no ledger.
 */
export class Ledger {
  readonly #maxDrop: number;
  readonly #plan: readonly PlannedStage[];
  readonly #samples: readonly Sample[];
  readonly #measuring: Measuring;
  readonly #entries: LedgerEntry[] = [];
  readonly #undone = new Set<number>();
  #reference!: Evaluation;
  #metric = 'agreement';
  /** The metric of the input, and of the model that goes on. */
  #before = 0;
  #now = 0;
  /** What of the budget is surely gone with that. */
  #spent = 0;
  /** The last of them. */
  #good: Kept = { index: INPUT, drop: 0, spent: false };

  static async open(
    plan: readonly PlannedStage[],
    maxDrop: number | undefined,
    input: Standing,
    measuring: Measuring,
    seed: number,
  ): Promise<Ledger | undefined> {
    const { dataset } = measuring;
    if (maxDrop === undefined || plan.length < 2 || !input.binding.input) return undefined;
    if (dataset === undefined || dataset.splits.train.length === 0) return undefined;
    const ledger = new Ledger(plan, maxDrop, judgedOf(tuneSplit(dataset, seed).tune), measuring);
    await ledger.#start(input);
    return ledger;
  }

  private constructor(
    plan: readonly PlannedStage[],
    maxDrop: number,
    samples: readonly Sample[],
    measuring: Measuring,
  ) {
    this.#plan = plan;
    this.#maxDrop = maxDrop;
    this.#samples = samples;
    this.#measuring = measuring;
  }

  async #start({ file, binding }: Standing): Promise<void> {
    this.#reference = await this.#see({ file, binding });
    if (isLabelled(binding.task, this.#samples)) this.#metric = binding.headline;
    this.#now = this.#value(this.#reference, binding);
  }

  /** Stages whose result was not kept. */
  get undone(): ReadonlySet<number> {
    return this.#undone;
  }

  /** An equal part of what is left for each stage to come that spends, and where training may end. */
  budgetFor({ index }: PlannedStage): Budget & { readonly whole: number } {
    const whole = this.#before;
    const spenders = this.#plan.filter((p) => p.index >= index && spends(p)).length;
    const left = this.#maxDrop - this.#spent;
    return { maxDrop: Math.max(0, left) / Math.max(1, spenders), whole };
  }

  /**
   * Measure what a stage made and write it down.
   *
   * @returns the index of the earlier stage whose result is to be taken instead, or INPUT; undefined: this one stays
   */
  async enter(
    { index, stage }: PlannedStage,
    made: Standing,
    tell: Tell,
  ): Promise<number | undefined> {
    tell(0, 'measuring what is left of the budget');
    const found = await this.#see(made);
    const [before, after] = [this.#now, this.#value(found, made.binding)];
    const drop = this.#before - after;
    const over = drop > this.#maxDrop && this.#isLast(index);
    const sure = over ? this.#surely(found, made.binding, drop) : drop;
    const back = over && this.#isWorthIt(index) && sure > this.#maxDrop ? this.#good : undefined;
    if (drop <= this.#maxDrop)
      this.#good = { index, drop, spent: this.#plan.some((p) => p.index <= index && spends(p)) };
    if (back) for (let i = back.index + 1; i <= index; i++) this.#undone.add(i);
    this.#now = back ? this.#before - back.drop : after;
    this.#spent = back ? back.drop : sure;
    this.#entries.push({
      index,
      stage: stage.name,
      before,
      after,
      spent: before - after,
      left: this.#maxDrop - drop,
      steppedBackTo: back?.index ?? null,
    });
    return back?.index;
  }

  report(): NonNullable<Report['ledger']> {
    return {
      metric: this.#metric,
      images: this.#samples.length,
      maxDrop: this.#maxDrop,
      before: this.#before,
      entries: [...this.#entries],
    };
  }

  #value(found: Evaluation, binding: TaskBinding): number {
    const value =
      this.#metric === 'agreement'
        ? agreement(this.#reference, found, binding)
        : (found.metrics[this.#metric] ?? 0);
    if (found === this.#reference) this.#before = value;
    return value;
  }

  #see({ file, binding }: Standing): Promise<Evaluation> {
    const { threads, provider, signal } = this.#measuring;
    return evaluate(file.bytes, binding, this.#samples, { threads, provider, signal });
  }

  /** From the last good result something comes of the job: it cost something itself, or a stage that spends is still to come. */
  #isWorthIt(index: number): boolean {
    return this.#good.spent || this.#plan.some((p) => p.index > index && spends(p));
  }

  /** Nothing follows at once that may win back what was spent. */
  #isLast(index: number): boolean {
    const next = this.#plan.find((p) => p.index > index && p.stage.accuracy !== 'keeps');
    return next?.stage.accuracy !== 'wins';
  }

  /**
   * What of a drop is no luck. Few images make a metric jump, and a model that was trained on them does better there than elsewhere:
   * twice the noise may be that.
   */
  #surely(found: Evaluation, binding: TaskBinding, drop: number): number {
    if (this.#metric === 'agreement') return drop;
    return Math.max(0, drop - SURE * dropNoise(this.#reference, found, binding, this.#metric));
  }
}

const spends = ({ stage }: PlannedStage): boolean => stage.accuracy === undefined;
