/** @file Run a model over samples, and judge what it says. */

import { setImmediate } from 'node:timers/promises';

import { ServiceError } from '../../src/contract/errors.ts';
import type { Sample } from '../data/dataset.ts';
import type { Model } from '../onnx/graph.ts';
import { openFloatSession } from '../runtime/float-session.ts';
import type { Session } from '../runtime/session.ts';
import { sampleFeeds, toPlanes } from '../tasks/feed.ts';
import { TASKS } from '../tasks/registry.ts';
import type { Evaluation, ImagePrediction, TaskBinding } from '../tasks/task.ts';
import { METRICS } from './metrics/registry.ts';
import { OutputWatch } from './output-watch.ts';
import { Spill } from './spill.ts';

export interface EvaluateOptions {
  /** Intra-op threads; default 1. */
  readonly threads?: number;
  readonly provider?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * What the model says of every sample, and, where the samples have labels of the task's kind, how good that is.
 * Memory does not grow with the number of images, but for the predictions themselves.
 *
 * @throws IMAGE_UNREADABLE a sample's image cannot be read · CLASSES_DIFFER a label that the model has no class for
 *   · MODEL_CANNOT_RUN · TASK_DOES_NOT_FIT the model takes no image
 */
export async function evaluate(
  model: Model | Uint8Array,
  binding: TaskBinding,
  samples: readonly Sample[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  expectKnownLabels(binding, samples);
  const { threads = 1, provider = 'cpu' } = options;
  const session = await openFloatSession(model, { threads, provider });
  const watch = new OutputWatch(binding);
  try {
    const predictions = await predict(session, binding, samples, watch, options);
    const judged = METRICS[binding.task].judge(predictions, binding.classes);
    return {
      metrics: {},
      ...judged,
      images: samples.length,
      predictions,
      warnings: [...binding.notes, ...otherLabels(binding, samples), ...watch.warnings()],
    };
  } finally {
    await session.release();
  }
}

async function predict(
  session: Session,
  binding: TaskBinding,
  samples: readonly Sample[],
  watch: OutputWatch,
  { signal, onProgress }: EvaluateOptions,
): Promise<ImagePrediction[]> {
  const task = TASKS[binding.task];
  const spill = new Spill();
  const predictions: ImagePrediction[] = [];
  for await (const { sample, feeds, geometry } of sampleFeeds(samples, binding)) {
    signal?.throwIfAborted();
    const outputs = toPlanes(await session.run(feeds));
    watch.see(outputs);
    const prediction = spill.keep(task.decode(outputs, binding, geometry));
    const { imageWidth: width, imageHeight: height } = geometry;
    predictions.push({ sample, prediction, width, height });
    onProgress?.(predictions.length, samples.length);
    await setImmediate(); // run() blocks this thread: let timers and messages through
  }
  return predictions;
}

/** Labels of another kind than the task's cannot be compared with anything. */
function otherLabels({ task }: TaskBinding, samples: readonly Sample[]): string[] {
  const boxes = samples.some((s) => s.boxes !== undefined);
  const classes = samples.some((s) => s.label !== undefined);
  if (task === 'detect' && classes && !boxes)
    return ['The data set has one class per image and no boxes: detections cannot be judged.'];
  if (task === 'classify' && boxes && !classes)
    return ['The data set has boxes and no class per image: top-1 cannot be judged.'];
  return [];
}

function expectKnownLabels(binding: TaskBinding, samples: readonly Sample[]): void {
  if (binding.classes === undefined) return;
  const labels = samples.flatMap((s) =>
    binding.task === 'detect' ? (s.boxes ?? []).map(([cls]) => cls) : (s.label ?? []),
  );
  const highest = labels.reduce((a, b) => Math.max(a, b), -1);
  if (highest >= binding.classes.length)
    throw new ServiceError('CLASSES_DIFFER', {
      model: binding.classes.length,
      dataset: highest + 1,
    });
}
