/** @file Detection: COCO's mean average precision, per class, with curves. */

import type { PrCurve } from '../../../src/contract/report.ts';
import type { Sample } from '../../data/dataset.ts';
import type { Detection, ImagePrediction } from '../../tasks/task.ts';
import { averagePrecision, type ClassCurves, type CocoImage, classCurves } from './coco-map.ts';
import type { ScoredBox, TrueBox } from './coco-match.ts';
import type { Judgement, Metric } from './metric.ts';

/** The reference's detections above this score are the truth that agreement asks for. */
const AGREEMENT_SCORE = 0.25;

export const detectMetric: Metric = {
  judge(predictions, names) {
    if (predictions.every(({ sample }) => sample.boxes === undefined)) return undefined;
    const images = predictions.map((p) => cocoImage(trueBoxes(p), boxesOf(p)));
    return judgement(images, classesIn(images), names);
  },

  /** mAP50-95 with the reference's detections above 0.25 as ground truth. */
  agreement(reference, candidate) {
    const images = reference.map((r, i) => {
      const truths = boxesOf(r).filter((b) => b.score > AGREEMENT_SCORE);
      return cocoImage(
        truths.map((b) => [b.class, truth(b)]),
        boxesOf(candidate[i]!),
      );
    });
    const curves = classesIn(images).flatMap((cls) => classCurves(images, cls) ?? []);
    if (curves.length > 0) return mean(curves.map((c) => averagePrecision(c)));
    const silent = candidate.every((p) => boxesOf(p).every((b) => b.score <= AGREEMENT_SCORE));
    return silent ? 1 : 0;
  },
};

const boxesOf = ({ prediction }: ImagePrediction): readonly Detection[] =>
  prediction.kind === 'boxes' ? prediction.boxes : [];

type ClassedBox = readonly [cls: number, box: TrueBox];

const truth = ({ x, y, width, height }: Omit<TrueBox, 'area' | 'crowd'>): TrueBox => ({
  x,
  y,
  width,
  height,
  area: width * height,
  crowd: false,
});

/** A sample's label rows in the image's pixels, not rounded and not clipped. */
function trueBoxes({ sample, width, height }: ImagePrediction): ClassedBox[] {
  return rowsOf(sample).map(([cls, cx, cy, w, h]) => [
    cls,
    truth({
      x: (cx - w / 2) * width,
      y: (cy - h / 2) * height,
      width: w * width,
      height: h * height,
    }),
  ]);
}

const rowsOf = (sample: Sample) => sample.boxes ?? [];

function cocoImage(truths: readonly ClassedBox[], detections: readonly Detection[]): CocoImage {
  const image = {
    truths: new Map<number, TrueBox[]>(),
    detections: new Map<number, ScoredBox[]>(),
  };
  for (const [cls, box] of truths) listOf(image.truths, cls).push(box);
  for (const box of detections) listOf(image.detections, box.class).push(box);
  return image;
}

function listOf<T>(map: Map<number, T[]>, key: number): T[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}

const classesIn = (images: readonly CocoImage[]): number[] =>
  [...new Set(images.flatMap((i) => [...i.truths.keys()]))].sort((a, b) => a - b);

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/** Classes without a true box have no average precision, and count in no mean. */
function judgement(
  images: readonly CocoImage[],
  present: readonly number[],
  names: readonly string[] | undefined,
): Judgement {
  const curves = new Map(present.map((cls) => [cls, classCurves(images, cls)!]));
  const all = [...curves.values()];
  const classes = names ?? Array.from({ length: (present.at(-1) ?? -1) + 1 }, (_, i) => String(i));
  const perClass = classes.map((name, cls) => ({
    name,
    images: images.filter((i) => i.truths.has(cls)).length,
    labels: images.reduce((n, i) => n + (i.truths.get(cls)?.length ?? 0), 0),
    metrics: classMetrics(curves.get(cls)),
  }));
  if (all.length === 0) return { metrics: {}, perClass };
  return {
    metrics: {
      map50_95: mean(all.map((c) => averagePrecision(c))),
      map50: mean(all.map((c) => averagePrecision(c, 0))),
      map75: mean(all.map((c) => averagePrecision(c, 5))),
      ar100: mean(all.map((c) => mean(c.recall))),
    },
    perClass,
    curves: [
      curve('all classes', all),
      ...[...curves].map(([cls, c]) => curve(classes[cls] ?? String(cls), [c])),
    ],
  };
}

const classMetrics = (curves: ClassCurves | undefined) => ({
  map50_95: curves === undefined ? null : averagePrecision(curves),
  map50: curves === undefined ? null : averagePrecision(curves, 0),
});

/** Mean precision at IoU 0.5 over the classes, at 101 recall points. */
function curve(name: string, classes: readonly ClassCurves[]): PrCurve {
  const points = classes[0]!.precision[0]!.length;
  const precision = Array.from({ length: points }, (_, r) =>
    mean(classes.map((c) => c.precision[0]![r]!)),
  );
  return { name, iou: 0.5, precision };
}
