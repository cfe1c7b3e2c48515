/** @file The loss that is trained: the task's and every signal's, each times a weight that is an input of the graph. */

import type { Value } from '../onnx/graph.ts';
import type { BoundLoss, BuiltLoss, LossContext } from '../training/losses/loss.ts';
import { signalWeight, TASK, taskWeight } from './balance.ts';
import type { JoinedSignal } from './join.ts';
import { SIGNALS } from './signals/registry.ts';
import type { Signal } from './signals/signal.ts';
import type { TaughtValues } from './taught.ts';

/** λ_task·L_task + Σ λ·w·u·L: the factors are inputs of the graph. */
export function jointLoss(
  signals: readonly JoinedSignal[],
  taught: TaughtValues,
  task: BoundLoss | undefined,
): BoundLoss {
  const own = signals.flatMap((s) => s.pairs.flatMap(({ pair }) => pair.student.reads));
  return {
    reads: [...new Set([...(task?.reads ?? []), ...own])],
    build(context) {
      const { g, input } = context;
      const labels = task?.build(context);
      const parts = signals.map((s) => [s.name, lossOf(s, taught, context)] as const);
      const terms = parts.map(([name, loss]) => g.mul(loss, input(signalWeight(name), [])));
      const factor = input(taskWeight, []);
      const all = labels ? [g.mul(labels.total, factor), ...terms] : terms;
      return {
        total: all.reduce(g.add),
        parts: {
          ...labels?.parts,
          ...(labels && { [TASK]: labels.total }),
          ...Object.fromEntries(parts),
        },
        feeds: (given) => labels?.feeds(given) ?? {},
      } satisfies BuiltLoss;
    },
  };
}

/** Mean over the signal's pairs. */
function lossOf(
  { kind, spec, pairs }: JoinedSignal,
  taught: TaughtValues,
  context: LossContext,
): Value {
  const { g, input } = context;
  const losses = pairs.map((one) => {
    const { target, weight } = taught.of.get(one)!;
    return (SIGNALS[kind] as Signal).build(
      g,
      one.pair.student.build(g),
      input(target.input, target.dims),
      {
        ...(spec.temperature !== undefined && { temperature: spec.temperature }),
        ...(one.pair.bins !== undefined && { bins: one.pair.bins }),
        ...(one.adapter && { adapter: one.adapter.value }),
        ...(weight && { locationWeight: input(weight.input, weight.dims) }),
      },
    );
  });
  return g.scale(losses.reduce(g.add), 1 / losses.length);
}
