/** @file Distillation as a companion of training: signals between two models, each weighed by its rule. */

import type { Model } from '../onnx/graph.ts';
import type { TaskBinding } from '../tasks/task.ts';
import { batched } from '../training/batched.ts';
import type { BoundCompanion, Companion } from '../training/companion.ts';
import type { BoundLoss } from '../training/losses/loss.ts';
import { Balance } from './balance.ts';
import { type JoinedSignal, joinSignals } from './join.ts';
import { jointLoss } from './joint-loss.ts';
import { chosenSignals, type DistillSettings } from './settings.ts';
import type { BothEnds } from './sites/site.ts';
import { taughtBy } from './taught.ts';
import type { Teacher } from './teacher.ts';
import { TeacherSession } from './teacher-session.ts';

export interface DistillContext {
  /** How the student's outputs are read; its preprocess is the resolved one. */
  readonly binding: TaskBinding;
  readonly seed: number;
  readonly threads: number;
  readonly provider: string;
  /** Whether training images come again unchanged. */
  readonly repeats: boolean;
  /** The judge's metric of the teacher. */
  readonly teacherMetric: number;
  info(message: string): void;
  warn(message: string): void;
}

/** A signal that found its places, as the report tells it. */
export interface SignalTold {
  readonly name: string;
  readonly kind: string;
  readonly weight: number;
  readonly weighting: string;
  readonly pairs: readonly string[];
}

export interface Distillation extends Companion {
  /** Of the last binding. */
  told(): readonly SignalTold[];
}

/** What a teacher adds to the training of any student: also of one whose graph is rewritten, as long as its binding holds. */
export function distillation(
  teacher: Teacher,
  settings: DistillSettings,
  ctx: DistillContext,
): Distillation {
  let told: readonly SignalTold[] = [];
  return {
    told: () => told,
    async bind(forward, task, batch) {
      const { binding } = ctx;
      const other = await batched(teacher.model, teacher.binding, batch);
      const ends: BothEnds = {
        student: { graph: forward.graph, binding, batch },
        teacher: { graph: other.model.graph, binding: teacher.binding, batch: other.batch },
        classes: teacher.classes,
      };
      const specs = settings.signals ?? chosenSignals(ends);
      const signals = joinSignals(specs, withoutTask(settings, task, ctx), ends, ctx.seed);
      told = signals.map(tell);
      return bound(signals, other.model, ends, task, ctx);
    },
  };
}

const worse = (student: number, { teacherMetric, binding }: DistillContext): string =>
  `The teacher is worse than its student on the tune images (${binding.headline} ${teacherMetric.toFixed(4)} and ${student.toFixed(4)}): under the weighting 'gap' it has no weight, under others it may do harm.`;

/** Rules that weigh against the task's loss have nothing to weigh against without one. */
const AGAINST_TASK: ReadonlySet<string> = new Set(['gap', 'gradient-norm', 'uncertainty']);

function withoutTask(
  settings: DistillSettings,
  task: BoundLoss | undefined,
  { info }: DistillContext,
): DistillSettings {
  const { rule } = settings.weighting;
  if (task !== undefined || !AGAINST_TASK.has(rule)) return settings;
  info(
    `Without labels the teacher is all there is to learn from: its weight is constant, not '${rule}'.`,
  );
  return { ...settings, weighting: { rule: 'constant', lambda: 1 } };
}

const tell = ({ name, kind, spec, rule, pairs }: JoinedSignal): SignalTold => ({
  name,
  kind,
  weight: spec.weight,
  weighting: rule.rule,
  pairs: pairs.map(({ pair }) => pair.name),
});

async function bound(
  signals: readonly JoinedSignal[],
  teacher: Model,
  ends: BothEnds,
  task: BoundLoss | undefined,
  ctx: DistillContext,
): Promise<BoundCompanion> {
  const taught = taughtBy(teacher.graph, signals, ends);
  const { threads, provider, repeats } = ctx;
  const session = await TeacherSession.open(teacher, taught.image, taught.all, {
    threads,
    provider,
    repeats,
  });
  const weighed = signals.map(({ name, spec, rule }) => ({ name, weight: spec.weight, rule }));
  return {
    loss: jointLoss(signals, taught, task),
    parameters: signals.flatMap((s) => s.pairs.flatMap(({ adapter }) => adapter ?? [])),
    weights: new Balance(weighed, task !== undefined, ctx.teacherMetric, (student) =>
      ctx.warn(worse(student, ctx)),
    ),
    feeds: (batch) => session.feeds(batch),
    release: () => session.release(),
  };
}
