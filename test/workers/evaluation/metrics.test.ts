import { expect, test } from 'vitest';

import { classifyMetric } from '../../../workers/evaluation/metrics/classify.ts';
import { genericMetric } from '../../../workers/evaluation/metrics/generic.ts';
import type { ImagePrediction, Plane } from '../../../workers/tasks/task.ts';

const scored = (scores: readonly number[], label?: number): ImagePrediction => ({
  sample: { name: 'a', file: 'a', ...(label !== undefined && { label }) },
  prediction: { kind: 'classes', scores: Float32Array.from(scores) },
  width: 1,
  height: 1,
});

test('top-1 and top-5, per class', () => {
  const images = [
    scored([9, 1, 2, 3, 4, 5], 0),
    scored([9, 1, 2, 3, 4, 5], 5),
    scored([9, 1, 2, 3, 4, 5], 1),
    scored([9, 1, 2, 3, 4, 5], 0),
  ];

  const { metrics, perClass } = classifyMetric.judge(images, ['a', 'b', 'c', 'd', 'e', 'f'])!;

  expect(metrics).toEqual({ top1: 0.5, top5: 0.75 });
  expect(perClass!.map((c) => [c.labels, c.metrics['top1']])).toEqual([
    [2, 1],
    [1, 0],
    [0, null],
    [0, null],
    [0, null],
    [1, 0],
  ]);
});

test('at equal scores the lower class is first; NaN is never right', () => {
  expect(classifyMetric.judge([scored([1, 1], 0)], ['a', 'b'])!.metrics).toEqual({ top1: 1 });
  expect(classifyMetric.judge([scored([1, 1], 1)], ['a', 'b'])!.metrics).toEqual({ top1: 0 });
  expect(classifyMetric.judge([scored([Number.NaN, 0], 0)], ['a', 'b'])!.metrics).toEqual({
    top1: 0,
  });
});

test('images without labels are not judged', () => {
  expect(classifyMetric.judge([scored([1, 2])], ['a', 'b'])).toBeUndefined();
});

test('agreement of classifiers is the share of equal best classes', () => {
  const of = (...best: number[]) =>
    best.map((b) => scored([0, 1, 2].map((c) => (c === b ? 1 : 0))));

  expect(classifyMetric.agreement(of(0, 1, 2, 0), of(0, 1, 1, 0))).toBe(0.75);
});

const tensors = (outputs: Readonly<Record<string, readonly number[]>>): ImagePrediction => ({
  sample: { name: 'a', file: 'a' },
  prediction: {
    kind: 'tensors',
    outputs: Object.fromEntries(
      Object.entries(outputs).map(([k, v]): [string, Plane] => [
        k,
        { dims: [v.length], data: Float32Array.from(v) },
      ]),
    ),
  },
  width: 1,
  height: 1,
});

const nan = Number.NaN;
test.each([
  ['equal', { y: [3, 4] }, { y: [3, 4] }, 1],
  ['a tenth off', { y: [3, 4] }, { y: [3, 4.5] }, 0.9],
  ['far off', { y: [3, 4] }, { y: [30, 40] }, 0],
  ['the mean over outputs', { y: [3, 4], z: [1] }, { y: [3, 4.5], z: [1] }, 0.95],
  ['another shape', { y: [3, 4] }, { y: [3, 4, 5] }, 0],
  ['an output less', { y: [3], z: [1] }, { y: [3] }, 0.5],
  ['zeros that stay zero', { y: [0, 0] }, { y: [0, 0] }, 1],
  ['zeros that do not', { y: [0, 0] }, { y: [0, 1] }, 0],
  ['NaN in the same place', { y: [3, nan] }, { y: [3, nan] }, 1],
  ['NaN in one', { y: [3, 4] }, { y: [3, nan] }, 0],
])('agreement of outputs: %s', (_, reference, candidate, expected) => {
  expect(genericMetric.agreement([tensors(reference)], [tensors(candidate)])).toBeCloseTo(
    expected,
    6,
  );
});
