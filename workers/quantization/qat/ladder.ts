/** @file Methods tried one after the other, each on the best model so far, until one is accurate enough. */

import type { Model, Value } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Budget } from '../../runtime/context.ts';
import { holds } from '../mixed/quantize-mixed.ts';
import type { Standing } from '../mixed/search.ts';

/** A step that was taken, and the accuracy of what it left on the images that decide. */
export interface MethodStep<Name extends string> extends Standing {
  readonly step: Name;
  /** Whether the budget holds with it. */
  readonly held: boolean;
  readonly seconds: number;
}

export interface Climb<Name extends string> {
  readonly steps: readonly MethodStep<Name>[];
  /** The step whose constants the model has. */
  readonly kept: MethodStep<Name>;
}

export interface ClimbOptions<Name extends string> {
  readonly budget: Budget;
  readonly judge: (model: Model) => Promise<Standing>;
  readonly signal: AbortSignal;
  /** Whether the first step that holds the budget is the last. */
  readonly untilHeld: boolean;
  /** Changes constants of the model. */
  readonly doing: (step: Name) => Promise<void>;
  metric(record: Readonly<Record<string, string | number | boolean | null>>): void;
}

/** Take the steps in turn; `model` ends with the constants of the best. */
export async function climb<Name extends string>(
  model: Model,
  names: readonly Name[],
  { budget, judge, signal, untilHeld, doing, metric }: ClimbOptions<Name>,
): Promise<Climb<Name>> {
  const steps: MethodStep<Name>[] = [];
  let best: { step: MethodStep<Name>; constants: ReadonlyMap<Value, Tensor> } | undefined;
  for (const name of names) {
    signal.throwIfAborted();
    const from = performance.now();
    await doing(name);
    const standing = await judge(model);
    const seconds = Math.round(performance.now() - from) / 1000;
    const step = { step: name, ...standing, held: holds(standing, budget), seconds };
    metric({ at: 'step', ...step });
    steps.push(step);
    if (best === undefined || isBetter(step, best.step))
      best = { step, constants: constantsOf(model) };
    for (const [value, tensor] of best.constants) value.constant = tensor;
    if (untilHeld && step.held) break;
  }
  return { steps, kept: best!.step };
}

const isBetter = (a: MethodStep<string>, b: MethodStep<string>): boolean =>
  a.held === b.held ? a.agreement > b.agreement : a.held;

const constantsOf = ({ graph }: Model): Map<Value, Tensor> =>
  new Map(graph.initializers.flatMap((v) => (v.constant ? [[v, v.constant] as const] : [])));

/** In words, why the climb ended where it did. */
export function whyOf<Name extends string>(
  { steps, kept }: Climb<Name>,
  budget: Budget,
  names: readonly Name[],
): string {
  const last = steps.at(-1)!;
  const limits = Object.entries(budget).map(([name, limit]) => `${name} ${limit}`);
  const asked = `the accuracy budget (${limits.join(', ')})`;
  if (kept.held)
    return steps.length < names.length
      ? `${asked} holds after ${kept.step} (${figures(kept)}): no further step is needed`
      : `${asked} holds with ${kept.step} (${figures(kept)})`;
  const better = kept.step === last.step ? '' : `; ${last.step} is no better (${figures(last)})`;
  return `${asked} holds after none of ${names.join(', ')}: ${kept.step} is the closest (${figures(kept)})${better}`;
}

const figures = ({ agreement, drop }: Standing): string =>
  `agreement ${agreement.toFixed(4)}${drop === null ? '' : `, drop ${drop.toFixed(4)}`} on the tune images`;
