import { expect, test } from 'vitest';

import { Spill } from '../../../workers/evaluation/spill.ts';
import type { Prediction } from '../../../workers/tasks/task.ts';

const tensors = (...data: number[]): Prediction => ({
  kind: 'tensors',
  outputs: { y: { dims: [data.length], data: Float32Array.from(data) } },
});

const valuesOf = (prediction: Prediction) =>
  prediction.kind === 'tensors' ? [...prediction.outputs['y']!.data] : [];

test.each([0, 8, 1000])('outputs beyond %i bytes come back unchanged', (limit) => {
  const spill = new Spill(limit);
  const given = [tensors(1, 2), tensors(), tensors(3, Number.NaN, Number.POSITIVE_INFINITY)];

  const kept = given.map((prediction) => spill.keep(prediction));

  expect(kept.map(valuesOf)).toEqual(given.map(valuesOf));
  expect(kept.map(valuesOf)).toEqual(given.map(valuesOf)); // read twice
});

test('what is kept in memory does not change with the buffer it came from', () => {
  const data = Float32Array.of(1, 2);
  const kept = new Spill().keep({ kind: 'tensors', outputs: { y: { dims: [2], data } } });
  data.fill(9);

  expect(valuesOf(kept)).toEqual([1, 2]);
});

test('boxes and classes stay as they are', () => {
  const boxes: Prediction = { kind: 'boxes', boxes: [] };

  expect(new Spill(0).keep(boxes)).toBe(boxes);
});
