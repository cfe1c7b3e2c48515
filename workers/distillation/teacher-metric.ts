/** @file How good a teacher is on the images that decide inside a stage, in its student's order of classes. */

import type { Sample } from '../data/dataset.ts';
import { type EvaluateOptions, evaluate } from '../evaluation/evaluate.ts';
import { METRICS } from '../evaluation/metrics/registry.ts';
import { isLabelled } from '../tasks/labelled.ts';
import type { Evaluation, ImagePrediction, TaskBinding } from '../tasks/task.ts';
import type { Teacher } from './teacher.ts';

export interface JudgedTeacher {
  /** What it says, as the student would. */
  readonly evaluation: Evaluation;
  /** The task's headline metric where the images are labelled, else 1: its agreement with itself. */
  readonly metric: number;
}

/** @param student how the student's outputs are read */
export async function judgeTeacher(
  { model, binding, classes }: Teacher,
  student: TaskBinding,
  samples: readonly Sample[],
  options: EvaluateOptions,
): Promise<JudgedTeacher> {
  // Labels count the student's classes: they are compared below, when the predictions do too.
  const images = samples.map(({ name, file }): Sample => ({ name, file }));
  const found = await evaluate(model, binding, images, options);
  const predictions = found.predictions.map((one, i) => ({
    ...inOrder(one, classes),
    sample: samples[i]!,
  }));
  const metrics = METRICS[student.task].judge(predictions, student.classes)?.metrics ?? {};
  const labelled = isLabelled(student.task, samples);
  return {
    evaluation: { ...found, metrics, predictions },
    metric: labelled ? (metrics[student.headline] ?? 0) : 1,
  };
}

/** Classes that the student has not are left out. */
function inOrder(one: ImagePrediction, classes: readonly number[]): ImagePrediction {
  const { prediction } = one;
  if (prediction.kind === 'classes') {
    const scores = Float32Array.from(classes, (c) => prediction.scores[c]!);
    return { ...one, prediction: { ...prediction, scores } };
  }
  if (prediction.kind !== 'boxes') return one;
  const own = new Map(classes.map((c, i) => [c, i]));
  const boxes = prediction.boxes.flatMap((box) => {
    const cls = own.get(box.class);
    return cls === undefined ? [] : [{ ...box, class: cls }];
  });
  return { ...one, prediction: { ...prediction, boxes } };
}
