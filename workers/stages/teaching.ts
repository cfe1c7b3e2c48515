/** @file Training beside a teacher, as every stage does it that may be taught. */

import type { Sample } from '../data/dataset.ts';
import { distillation } from '../distillation/distillation.ts';
import type { SignalSpec } from '../distillation/settings.ts';
import { type Teacher, teacherOf } from '../distillation/teacher.ts';
import { type JudgedTeacher, judgeTeacher } from '../distillation/teacher-metric.ts';
import type { Model } from '../onnx/graph.ts';
import type { RunContext } from '../runtime/context.ts';
import { judgedOf } from '../training/judge.ts';
import type { TrainContext, Trained } from '../training/train.ts';
import { type DistillOptions, ruleOf } from './distill-options.ts';
import { trainInPlace } from './finetune.ts';

/** What the options of a taught stage make of its training. */
interface Teaching {
  /** Beside the rest of the training's context. */
  readonly context: Pick<TrainContext, 'fit' | 'tune' | 'unlabelled' | 'companion' | 'reference'>;
  /** For the report, once it has run. */
  details(): Readonly<Record<string, unknown>>;
}

interface Images {
  readonly fit: readonly Sample[];
  readonly tune: readonly Sample[];
}

/**
 * The teacher is read, checked and judged on the tune images. Images without a label file, where others have one, are
 * taught by it alone.
 *
 * @throws TEACHER_MISSING · TEACHER_DOES_NOT_FIT
 */
async function teachingOf(
  chosen: DistillOptions & { readonly augment: unknown },
  images: Images,
  ctx: RunContext,
): Promise<Teaching> {
  const { teacher: reference, signals, weighting } = chosen;
  ctx.progress(0, 'judging the teacher');
  const binding = { ...ctx.task, preprocess: ctx.preprocess };
  const own = reference === 'input' || typeof reference === 'number';
  const teacher = teacherOf(String(reference), await ctx.otherModel(reference), binding, own);
  const { fit, tune, unlabelled } = mixed(images);
  const { threads, provider, signal } = ctx;
  const judged = await judgeTeacher(teacher, binding, judgedOf(tune), {
    threads,
    provider,
    signal,
  });
  const companion = distillation(
    teacher,
    { signals: signals?.map(signalOf), weighting: ruleOf(weighting) },
    {
      ...ctx,
      binding,
      repeats: chosen.augment === false,
      teacherMetric: judged.metric,
      warn: (message) => ctx.warn(message),
      info: (message) => ctx.info(message),
    },
  );
  if (unlabelled.length > 0)
    ctx.info(
      `${unlabelled.length} of ${fit.length + unlabelled.length} training images have no labels: the teacher alone says what is on them.`,
    );
  return {
    context: { fit, tune, unlabelled, companion, reference: judged.evaluation },
    details: () => ({
      images: { fit: fit.length, tune: tune.length, unlabelled: unlabelled.length },
      teacher: told(teacher, judged),
      signals: companion.told(),
    }),
  };
}

/** Options of a stage that is taught: of its training, and of its teacher. */
export type TaughtOptions = Parameters<typeof trainInPlace>[1] & DistillOptions;

/**
 * Train `model` in place beside its teacher.
 *
 * @param context of the training, its images left to this
 */
export async function trainTaught(
  model: Model,
  chosen: TaughtOptions,
  images: Images,
  ctx: RunContext,
  context: Omit<Parameters<typeof trainInPlace>[2], 'fit' | 'tune'>,
): Promise<{ readonly trained: Trained; readonly details: Readonly<Record<string, unknown>> }> {
  const { teacher: _t, signals: _s, weighting: _w, ...training } = chosen;
  const teaching = await teachingOf(chosen, images, ctx);
  const trained = await trainInPlace(model, training, { ...context, ...teaching.context });
  return { trained, details: teaching.details() };
}

/** Labelled images first; where there are none all are trained on, and the teacher alone speaks. */
function mixed({ fit, tune }: Images) {
  const labelled = (samples: readonly Sample[]) => samples.filter((s) => !s.unlabelled);
  const own = labelled(fit);
  if (own.length === 0) return { fit: fit.map(bare), tune: tune.map(bare), unlabelled: [] };
  const judges = labelled(tune);
  return {
    fit: own,
    tune: judges.length > 0 ? judges : tune.map(bare),
    unlabelled: fit.filter((s) => s.unlabelled),
  };
}

const bare = (sample: Sample): Sample =>
  sample.unlabelled ? { name: sample.name, file: sample.file } : sample;

const signalOf = ({
  weighting,
  ...rest
}: NonNullable<DistillOptions['signals']>[number]): SignalSpec => ({
  ...rest,
  ...(weighting !== undefined && { weighting: ruleOf(weighting) }),
});

const told = ({ name, binding }: Teacher, { metric }: JudgedTeacher) => ({
  model: name,
  description: binding.description,
  inputSize: binding.inputSize,
  tune: metric,
});
