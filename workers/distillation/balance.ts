/** @file Weights of the losses, step by step: one rule per signal, over losses that were brought to one size. */

import type { Probe, StepWeights } from '../training/companion.ts';
import { WEIGHTINGS, type WeightingName } from './weighting/registry.ts';
import type { Observation, Weighting } from './weighting/weighting.ts';

/** A rule and its options; those left out are its defaults. */
export interface Rule {
  readonly rule: WeightingName;
  readonly [option: string]: number | string;
}

export interface Weighed {
  readonly name: string;
  /** Share among the signals; 1: its gradient counts as the task's does at the start. */
  readonly weight: number;
  readonly rule: Rule;
}

/** Steps at the start whose gradient norms bring the losses to one size. */
const MEASURED_STEPS = 4;
/** Steps from one measurement of gradient norms to the next, for rules that follow them. */
const EVERY = 20;
/** A signal's loss counts at most this many times: where student and teacher agree its gradient is noise. */
const LARGEST_UNIT = 1e6;

export const TASK = 'task';
export const taskWeight = 'distill/weight/task';
export const signalWeight = (name: string): string => `distill/weight/${name}`;

interface State {
  /** Sums of gradient norms, by signal and TASK, over `measured` steps. */
  readonly norms: Readonly<Record<string, number>>;
  readonly measured: number;
  readonly rules: Readonly<Record<string, unknown>>;
}

/**
 * total = λ_task·L_task + Σ_i λ_i·w_i·u_i·L_i. The unit u_i = mean ‖∇L_task‖ / mean ‖∇L_i‖ over the first four steps (1 / mean ‖∇L_i‖
 * without a task's loss), so that weights mean the same for every signal and model; λ_i is the rule's. λ_task is 1, but under
 * `uncertainty`, which weighs the task's loss too.
 */
export class Balance implements StepWeights {
  readonly #signals: readonly Weighed[];
  readonly #hasTask: boolean;
  readonly #teacher: number;
  readonly #onWorse: (student: number) => void;
  #judged = false;
  #state: State;

  /**
   * @param teacher the judge's metric of the teacher
   * @param onWorse called where that is below the student's own at its first judgement
   */
  constructor(
    signals: readonly Weighed[],
    hasTask: boolean,
    teacher: number,
    onWorse: (student: number) => void,
  ) {
    this.#onWorse = onWorse;
    this.#signals = signals;
    this.#hasTask = hasTask;
    this.#teacher = teacher;
    const start = (rule: Rule) => weighting(rule).start(optionsOf(rule));
    const rules = Object.fromEntries(signals.map(({ name, rule }) => [name, start(rule)]));
    const task = this.#taskRule;
    this.#state = {
      norms: {},
      measured: 0,
      rules: { ...rules, ...(task && { [TASK]: start(task) }) },
    };
  }

  /** The rule that learns the task's weight too. */
  get #taskRule(): Rule | undefined {
    if (!this.#hasTask) return undefined;
    return this.#signals.find(({ rule }) => rule.rule === 'uncertainty')?.rule;
  }

  scalars(labelled: boolean): Readonly<Record<string, number>> {
    const task = this.#taskRule;
    const own = task ? this.#lambda(TASK, task) : 1;
    const all = this.#signals.map(({ name, rule, weight }): [string, number] => [
      signalWeight(name),
      this.#lambda(name, rule) * weight * this.#unit(name),
    ]);
    return { [taskWeight]: labelled && this.#hasTask ? own : 0, ...Object.fromEntries(all) };
  }

  probes(step: number): readonly Probe[] {
    const follows = this.#signals.some(({ rule }) => rule.rule === 'gradient-norm');
    const starting = this.#state.measured < MEASURED_STEPS;
    if (!starting && !(follows && step % EVERY === 0)) return [];
    const names = [...(this.#hasTask ? [TASK] : []), ...this.#signals.map(({ name }) => name)];
    const input = (name: string) => (name === TASK ? taskWeight : signalWeight(name));
    return names.map((name) => ({
      name,
      scalars: Object.fromEntries([
        [taskWeight, 0],
        ...names.map((other) => [input(other), other === name ? 1 : 0]),
      ]),
    }));
  }

  probed(norms: Readonly<Record<string, number>>): void {
    if (!Object.values(norms).every(Number.isFinite)) return;
    if (this.#state.measured < MEASURED_STEPS) {
      const sums = Object.entries(norms).map(([k, x]) => [k, (this.#state.norms[k] ?? 0) + x]);
      const measured = this.#state.measured + 1;
      this.#state = { ...this.#state, norms: Object.fromEntries(sums), measured };
    }
    const task = norms[TASK];
    if (task === undefined) return;
    this.#see((name) => ({
      gradientNorms: { task, distillation: norms[name]! * this.#unit(name) },
    }));
  }

  stepped(losses: Readonly<Record<string, number>>, progress: number): void {
    this.#see((name) => {
      const loss = losses[name];
      if (loss === undefined) return { progress };
      return { progress, loss: name === TASK ? loss : loss * this.#unit(name) };
    });
  }

  judged(student: number): Readonly<Record<string, number>> {
    if (!this.#judged && student > this.#teacher) this.#onWorse(student);
    this.#judged = true;
    this.#see(() => ({ evaluation: { student, teacher: this.#teacher } }));
    return { teacher: this.#teacher };
  }

  shown(): Readonly<Record<string, number>> {
    const shown = this.#signals.map(({ name, rule }) => [
      `lambda/${name}`,
      this.#lambda(name, rule),
    ]);
    const task = this.#taskRule;
    return Object.fromEntries([
      ...shown,
      ...(task ? [[`lambda/${TASK}`, this.#lambda(TASK, task)]] : []),
    ]);
  }

  state(): unknown {
    return this.#state;
  }

  restore(state: unknown): void {
    this.#state = state as State;
  }

  /** What brings a signal's gradient to the size of the task's; 1 before anything was measured. */
  #unit(name: string): number {
    const { norms, measured } = this.#state;
    if (name === TASK || measured === 0) return 1;
    const target = this.#hasTask ? norms[TASK]! : measured;
    return Math.min(LARGEST_UNIT, target / Math.max(norms[name]!, 1e-12));
  }

  #lambda(name: string, rule: Rule): number {
    return weighting(rule).weight(this.#state.rules[name], optionsOf(rule));
  }

  #see(observation: (name: string) => Observation): void {
    const task = this.#taskRule;
    const all = [...this.#signals, ...(task ? [{ name: TASK, rule: task }] : [])];
    const next = all.map(({ name, rule }) => [
      name,
      weighting(rule).next(this.#state.rules[name], observation(name), optionsOf(rule)),
    ]);
    this.#state = { ...this.#state, rules: Object.fromEntries(next) };
  }
}

const weighting = ({ rule }: Rule) => WEIGHTINGS[rule] as Weighting<unknown, unknown>;

export const optionsOf = ({ rule, ...given }: Rule): unknown => ({
  ...WEIGHTINGS[rule].defaults,
  ...given,
});
