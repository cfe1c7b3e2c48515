import { expect, test } from 'vitest';

import type { Sample } from '../../../workers/data/dataset.ts';
import { detectMetric } from '../../../workers/evaluation/metrics/detect.ts';
import type { Detection, ImagePrediction } from '../../../workers/tasks/task.ts';

type Row = NonNullable<Sample['boxes']>[number];

const image = (boxes: readonly Detection[], rows?: readonly Row[]): ImagePrediction => ({
  sample: { name: 'a', file: 'a', ...(rows && { boxes: rows }) },
  prediction: { kind: 'boxes', boxes },
  width: 100,
  height: 200,
});

const found = (
  cls: number,
  score: number,
  x: number,
  y: number,
  width: number,
  height: number,
) => ({
  class: cls,
  score,
  x,
  y,
  width,
  height,
});

/** Random numbers that a seed decides. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Images with random true boxes, and detections near some of them and elsewhere. No two scores are equal. */
function scene(seed: number, classes: number): ImagePrediction[] {
  const next = random(seed);
  return Array.from({ length: 12 }, () => {
    const rows = Array.from({ length: Math.floor(next() * 5) }, (): Row => {
      const [w, h] = [0.1 + 0.3 * next(), 0.1 + 0.3 * next()];
      return [Math.floor(next() * classes), 0.2 + 0.6 * next(), 0.2 + 0.6 * next(), w, h];
    });
    const near = rows.flatMap(([cls, cx, cy, w, h]) =>
      Array.from({ length: 2 }, () => {
        const [dx, dy] = [0.06 * next(), 0.06 * next()];
        const at = [(cx - w / 2 + dx) * 100, (cy - h / 2 + dy) * 200, w * 100, h * 200] as const;
        return found(next() < 0.9 ? cls : 0, next(), ...at);
      }),
    );
    const stray = Array.from({ length: 2 }, () =>
      found(Math.floor(next() * classes), next(), 80 * next(), 150 * next(), 20, 30),
    );
    return image([...near, ...stray], rows);
  });
}

/** Average precision straight from its definition, for one class and threshold: no curve, no sorting tricks. */
function definedAp(images: readonly ImagePrediction[], cls: number, threshold: number): number {
  const all = images.flatMap(({ prediction }, i) =>
    (prediction.kind === 'boxes' ? prediction.boxes : [])
      .filter((b) => b.class === cls)
      .map((b) => ({ i, b })),
  );
  const truths = images.map(({ sample }) =>
    sample
      .boxes!.filter(([c]) => c === cls)
      .map(([, cx, cy, w, h]) => ({
        x: (cx - w / 2) * 100,
        y: (cy - h / 2) * 200,
        w: w * 100,
        h: h * 200,
        used: false,
      })),
  );
  const positives = truths.flat().length;
  const right = all
    .sort((a, b) => b.b.score - a.b.score)
    .map(({ i, b }) => {
      const ious = truths[i]!.map((t) => {
        if (t.used) return -1;
        const w = Math.max(0, Math.min(b.x + b.width, t.x + t.w) - Math.max(b.x, t.x));
        const h = Math.max(0, Math.min(b.y + b.height, t.y + t.h) - Math.max(b.y, t.y));
        return (w * h) / (b.width * b.height + t.w * t.h - w * h);
      });
      const best = ious.indexOf(Math.max(...ious));
      if (best < 0 || ious[best]! < threshold) return false;
      truths[i]![best]!.used = true;
      return true;
    });
  const points = right.map((_, k) => {
    const hits = right.slice(0, k + 1).filter(Boolean).length;
    return { recall: hits / positives, precision: hits / (k + 1) };
  });
  let sum = 0;
  for (let r = 0; r <= 100; r++)
    sum += Math.max(0, ...points.filter((p) => p.recall >= r * 0.01).map((p) => p.precision));
  return sum / 101;
}

test.each([1, 2, 3, 4, 5, 6])(
  'mAP of a random scene is what its definition says (seed %i)',
  (seed) => {
    const images = scene(seed, 3);
    const present = [0, 1, 2].filter((c) =>
      images.some((i) => i.sample.boxes!.some(([b]) => b === c)),
    );
    const thresholds = Array.from({ length: 10 }, (_, t) => 0.5 + t * 0.05);
    const mean = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length;

    const { metrics, perClass } = detectMetric.judge(images, ['a', 'b', 'c'])!;

    const aps = present.map((c) => mean(thresholds.map((t) => definedAp(images, c, t))));
    expect(metrics['map50_95']).toBeCloseTo(mean(aps), 9);
    expect(metrics['map50']).toBeCloseTo(mean(present.map((c) => definedAp(images, c, 0.5))), 9);
    for (const [k, c] of present.entries())
      expect(perClass![c]!.metrics['map50_95']).toBeCloseTo(aps[k]!, 9);
  },
);

const whole: Row = [0, 0.5, 0.5, 0.2, 0.2]; // 40…60 × 80…120

test('a perfect detection scores 1, in every class that has labels', () => {
  const judged = detectMetric.judge([image([found(0, 0.9, 40, 80, 20, 40)], [whole])], ['a', 'b'])!;

  expect(judged.metrics).toMatchObject({ map50_95: 1, map50: 1, map75: 1, ar100: 1 });
  expect(judged.perClass).toEqual([
    { name: 'a', images: 1, labels: 1, metrics: { map50_95: 1, map50: 1 } },
    { name: 'b', images: 0, labels: 0, metrics: { map50_95: null, map50: null } },
  ]);
  expect(judged.curves!.map((c) => [c.name, c.precision.length])).toEqual([
    ['all classes', 101],
    ['a', 101],
  ]);
});

test('a detection in a background image counts against the precision', () => {
  const images = [
    image([found(0, 0.5, 40, 80, 20, 40)], [whole]),
    image([found(0, 0.9, 40, 80, 20, 40)], []),
  ];

  expect(detectMetric.judge(images, ['a'])!.metrics['map50']).toBeCloseTo(0.5, 9);
});

test('without labels there is no judgement; with background alone no figure', () => {
  expect(detectMetric.judge([image([])], ['a'])).toBeUndefined();
  expect(detectMetric.judge([image([], [])], ['a'])!.metrics).toEqual({});
});

test('agreement asks for the reference above 0.25 only', () => {
  const reference = [image([found(0, 0.9, 40, 80, 20, 40), found(1, 0.2, 0, 0, 20, 40)])];
  const same = [image([found(0, 0.3, 40, 80, 20, 40)])];
  const nothing = [image([])];

  expect(detectMetric.agreement(reference, same)).toBe(1);
  expect(detectMetric.agreement(reference, reference)).toBe(1);
  expect(detectMetric.agreement(reference, nothing)).toBe(0);
  expect(detectMetric.agreement(nothing, nothing)).toBe(1);
  expect(detectMetric.agreement(nothing, reference)).toBe(0);
});
