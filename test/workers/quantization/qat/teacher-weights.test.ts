/** @file Weights of the float model's and the task's loss, and the gate of ranges, step by step. */

import { expect, test } from 'vitest';

import { SCALARS, TeacherWeights } from '../../../../workers/quantization/qat/teacher-weights.ts';
import { RANGE_GATE } from '../../../../workers/training/flat-groups.ts';

test('the task weighs a tenth of the float model’s gradient, by norms measured every 50 steps', () => {
  const weights = new TeacherWeights(0.5, true);
  const measured = Array.from({ length: 101 }, (_, i) => i + 1).filter(
    (step) => weights.probes(step).length > 0,
  );
  expect(measured).toEqual([1, 51, 101]);
  expect(weights.probes(1).map((p) => p.name)).toEqual(['float', 'task']);
  weights.probed({ float: 2, task: 40 });
  expect(weights.scalars(true)).toMatchObject({ [SCALARS.float]: 1, [SCALARS.task]: 0.005 });
  expect(weights.scalars(false)[SCALARS.task]).toBe(0);
  weights.probed({ float: 2, task: 0 });
  expect(weights.shown()).toEqual({ taskWeight: 0.005 });
});

test('without labels there is nothing to weigh', () => {
  const weights = new TeacherWeights(1, false);
  expect(weights.probes(1)).toEqual([]);
  expect(weights.scalars(true)).toEqual({ [RANGE_GATE]: 1 });
});

test('ranges move for their share of the run; a restored state goes on with it', () => {
  const weights = new TeacherWeights(0.5, true);
  weights.probed({ float: 1, task: 1 });
  weights.stepped({}, 0.49);
  expect(weights.scalars(true)[RANGE_GATE]).toBe(1);
  weights.stepped({}, 0.5);
  const again = new TeacherWeights(0.5, true);
  again.restore(structuredClone(weights.state()));
  expect(again.scalars(true)).toEqual(weights.scalars(true));
  expect(again.scalars(true)[RANGE_GATE]).toBe(0);
});
