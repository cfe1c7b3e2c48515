/** @file COCO evaluation against pycocotools: all twelve figures and every class. */

import { expect, test } from 'vitest';

import {
  averagePrecision,
  type CocoImage,
  classCurves,
  cocoSummary,
} from '../../workers/evaluation/metrics/coco-map.ts';
import type { ScoredBox, TrueBox } from '../../workers/evaluation/metrics/coco-match.ts';
import { NO_SHARED_DATA, oracleCases } from '../helpers/shared-data.ts';

interface MapCase {
  readonly images: readonly (readonly number[])[];
  readonly categories: readonly number[];
  /** image, class, x, y, w, h, area, crowd */
  readonly ground_truth: readonly (readonly number[])[];
  /** image, class, x, y, w, h, score */
  readonly detections: readonly (readonly number[])[];
  readonly stats: Readonly<Record<string, number>>;
  readonly per_class: readonly { class: number; ap: number | null; ap50: number | null }[];
}

const cases = oracleCases('map');
if (cases.length === 0) test.skip(`map: ${NO_SHARED_DATA}`, () => {});

test.each(cases.map((c) => [c.name, c.data as unknown as MapCase] as const))(
  'map %s',
  (_, { stats, per_class, categories, ...boxes }) => {
    const images = imagesOf(boxes);

    const summary = cocoSummary(images, categories);

    for (const [name, value] of Object.entries(stats))
      expect(Math.abs(summary[name]! - value), name).toBeLessThanOrEqual(1e-6);
    for (const { class: cls, ap, ap50 } of per_class) {
      const curves = classCurves(images, cls);
      const found = curves && [averagePrecision(curves), averagePrecision(curves, 0)];
      const worst =
        ap === null ? found : Math.max(...found!.map((v, i) => Math.abs(v - [ap, ap50!][i]!)));
      if (ap === null) expect(found).toBeUndefined();
      else expect(worst).toBeLessThanOrEqual(1e-6);
    }
  },
);

function imagesOf({
  images,
  ground_truth,
  detections,
}: Pick<MapCase, 'images' | 'ground_truth' | 'detections'>) {
  const ids = images.map(([id]) => id!).sort((a, b) => a - b);
  const byId = new Map(
    ids.map((id) => [
      id,
      { truths: new Map<number, TrueBox[]>(), detections: new Map<number, ScoredBox[]>() },
    ]),
  );
  for (const [id, cls, x, y, width, height, area, crowd] of ground_truth as number[][])
    add(byId.get(id!)!.truths, cls!, {
      x: x!,
      y: y!,
      width: width!,
      height: height!,
      area: area!,
      crowd: crowd === 1,
    });
  for (const [id, cls, x, y, width, height, score] of detections as number[][])
    add(byId.get(id!)!.detections, cls!, {
      x: x!,
      y: y!,
      width: width!,
      height: height!,
      score: score!,
    });
  return [...byId.values()] satisfies CocoImage[];
}

function add<T>(map: Map<number, T[]>, key: number, value: T): void {
  map.set(key, [...(map.get(key) ?? []), value]);
}
