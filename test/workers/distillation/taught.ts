/** @file A tiny detector taught by another of its kind, on squares. */

import type { Sample } from '../../../workers/data/dataset.ts';
import { distillation } from '../../../workers/distillation/distillation.ts';
import type { DistillSettings } from '../../../workers/distillation/settings.ts';
import { teacherOf } from '../../../workers/distillation/teacher.ts';
import { judgeTeacher } from '../../../workers/distillation/teacher-metric.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { bytesOf, Tensor } from '../../../workers/onnx/tensor.ts';
import { floatsOf } from '../../../workers/onnx/values.ts';
import { random } from '../../../workers/runtime/random.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import type { TrainSettings } from '../../../workers/training/settings.ts';
import { type TrainContext, train } from '../../../workers/training/train.ts';
import { yolov8 } from '../../helpers/head-models.ts';
import { SQUARE_CLASSES } from '../../helpers/squares.ts';
import { PLAIN_TRAINING, quietRun } from '../../helpers/training.ts';

export const CONSTANT: DistillSettings = {
  signals: undefined,
  weighting: { rule: 'constant', lambda: 1 },
};

/** The same model with other weights: each trained one times 1 + amount·noise. */
export function noisy(model: Model, amount: number, seed = 1): Model {
  const rng = random(seed);
  for (const value of model.graph.initializers)
    if (value.constant?.dtype === 'float32' && value.name.endsWith('_w')) {
      const floats = Float32Array.from(
        floatsOf(value.constant),
        (x) => x * (1 + amount * rng.normal()),
      );
      value.constant = new Tensor('float32', value.constant.dims, bytesOf(floats));
    }
  return model;
}

type Metrics = Readonly<Record<string, string | number | boolean | null>>[];

export interface Told {
  readonly warnings: string[];
  readonly infos: string[];
  readonly metrics: Metrics;
}

export interface Taught {
  readonly student?: Model;
  readonly teacher?: Model;
  readonly settings?: Partial<TrainSettings>;
  readonly distill?: Partial<DistillSettings>;
  readonly context?: Partial<TrainContext>;
}

/** Train a student beside a teacher. @param images the last three judge */
export async function taught(images: readonly Sample[], given: Taught = {}) {
  const student = given.student ?? noisy(yolov8(), 0.5);
  const told: Told = { warnings: [], infos: [], metrics: [] };
  const binding = bindTask(student, { classes: SQUARE_CLASSES });
  const teacher = teacherOf('input', given.teacher ?? yolov8(), binding, false);
  const [fit, tune] = [images.slice(0, -3), images.slice(-3)];
  const judged = await judgeTeacher(teacher, binding, tune, {});
  const settings = { ...PLAIN_TRAINING, ...given.settings };
  const common = {
    binding,
    ...quietRun(),
    info: (message: string) => void told.infos.push(message),
    warn: (message: string) => void told.warnings.push(message),
  };
  const companion = distillation(
    teacher,
    { ...CONSTANT, ...given.distill },
    { ...common, repeats: settings.augment === false, teacherMetric: judged.metric },
  );
  const result = await train(student, settings, {
    ...common,
    fit,
    tune,
    metric: (record) => void told.metrics.push(record),
    companion,
    reference: judged.evaluation,
    ...given.context,
  });
  return { student, result, told, signals: companion.told() };
}

/** One number of every step. */
export const curve = ({ metrics }: Told, name: string): number[] =>
  metrics.filter((m) => m['at'] === 'train').map((m) => m[name] as number);
