/** @file Calibration images with what is on them: the data set's labels, or what the model itself says. */

import type { Sample } from '../../../data/dataset.ts';
import { type Corners, type Geometry, toInput } from '../../../data/geometry.ts';
import type { Model } from '../../../onnx/graph.ts';
import { openSession } from '../../../runtime/session.ts';
import { type SampleFeed, sampleFeeds, toPlanes } from '../../../tasks/feed.ts';
import { TASKS } from '../../../tasks/registry.ts';
import type { Prediction, TaskBinding } from '../../../tasks/task.ts';
import type { Labels } from '../../../training/batches/labels.ts';
import { oneHot, stackLabels } from '../../../training/batches/stack-labels.ts';
import type { Calibration } from './source.ts';

/** The model's own detections count as objects from this score on. */
const LEAST_SCORE = 0.25;

/** Images with the data set's labels where it has any. */
export async function* labelled(
  samples: readonly Sample[],
  binding: TaskBinding,
): AsyncGenerator<Calibration> {
  for await (const image of sampleFeeds(samples, binding))
    yield { feeds: image.feeds, labels: labelsOf(image, binding) };
}

/** Images labelled by the model itself: detections that it is fairly sure of, or its first class. */
export async function* selfLabelled(
  model: Model,
  samples: readonly Sample[],
  binding: TaskBinding,
  options: { readonly threads: number; readonly provider: string },
): AsyncGenerator<Calibration> {
  const session = await openSession(model, options);
  try {
    for await (const { feeds, geometry } of sampleFeeds(samples, binding)) {
      const outputs = toPlanes(await session.run(feeds));
      const prediction = TASKS[binding.task].decode(outputs, binding, geometry);
      yield { feeds, labels: labelsOfPrediction(prediction, geometry, binding) };
    }
  } finally {
    await session.release();
  }
}

function labelsOf({ sample, geometry }: SampleFeed, binding: TaskBinding): Labels {
  if (sample.boxes) {
    const { imageWidth: w, imageHeight: h } = geometry;
    return boxLabels(
      sample.boxes.map(([cls, cx, cy, bw, bh]) => {
        const [x, y] = [(cx - bw / 2) * w, (cy - bh / 2) * h];
        return { class: cls, corners: toInput(geometry, [x, y, x + bw * w, y + bh * h]) };
      }),
      binding,
    );
  }
  return sample.label === undefined ? { kind: 'none' } : classLabels(sample.label, binding);
}

/** @returns `none` for outputs that are neither boxes nor classes */
export function labelsOfPrediction(
  prediction: Prediction,
  geometry: Geometry,
  binding: TaskBinding,
): Labels {
  if (prediction.kind === 'tensors') return { kind: 'none' };
  if (prediction.kind === 'classes') {
    const best = prediction.scores.reduce((b, s, i, all) => (s > all[b]! ? i : b), 0);
    return classLabels(best, binding);
  }
  const sure = prediction.boxes.filter(({ score }) => score >= LEAST_SCORE);
  return boxLabels(
    sure.map(({ class: cls, x, y, width, height }) => ({
      class: cls,
      corners: toInput(geometry, [x, y, x + width, y + height]),
    })),
    binding,
  );
}

/** The same image stands in every place of a fixed batch, so its labels do too. */
const repeated = <T>(one: T, { input }: TaskBinding): T[] => new Array(input?.batch ?? 1).fill(one);

function boxLabels(
  boxes: readonly { readonly class: number; readonly corners: Corners }[],
  binding: TaskBinding,
): Labels {
  const one = { boxes, target: new Float32Array(0) };
  return stackLabels('boxes', repeated(one, binding));
}

function classLabels(label: number, binding: TaskBinding): Labels {
  const one = { boxes: [], target: oneHot(label, binding.classes?.length ?? label + 1) };
  return stackLabels('classes', repeated(one, binding));
}
