/** @file Signals without a published case: values by hand, gradients against central differences. */

import { expect, test } from 'vitest';

import { backward } from '../../../workers/autodiff/backward.ts';
import { SIGNALS, type SignalName } from '../../../workers/distillation/signals/registry.ts';
import type { Signal } from '../../../workers/distillation/signals/signal.ts';
import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import type { DType } from '../../../workers/onnx/dtype.ts';
import { emptyModel, Value } from '../../../workers/onnx/graph.ts';
import { random } from '../../../workers/runtime/random.ts';
import { openSession } from '../../../workers/runtime/session.ts';

/** Loss and gradient of a signal in double precision. */
async function lossOf(kind: SignalName, dims: readonly number[], hasWeights: boolean) {
  const model = emptyModel(10, 21);
  const g = new GraphBuilder(model.graph);
  const input = (name: string, shape: readonly number[]) => {
    const dtype: DType = 'float64';
    const value = new Value(name, { kind: 'tensor', dtype, shape });
    model.graph.inputs.push(value);
    return value;
  };
  const [student, teacher] = [input('student', dims), input('teacher', dims)];
  const places = [dims[0]!, dims.at(-1)!];
  const weight = hasWeights ? { locationWeight: input('weight', places) } : {};
  const total = (SIGNALS[kind] as Signal).build(g, student, teacher, weight);
  const seed = { value: total, gradient: g.scalar(1, total) };
  const [gradient] = backward(model.graph, [seed], [student], { g });
  model.graph.outputs = [total, gradient!];
  const session = await openSession(model);
  return async (feeds: Readonly<Record<string, ArrayLike<number>>>) => {
    const results = await session.run(
      Object.fromEntries(
        Object.entries(feeds).map(([name, data]) => [
          name,
          {
            dims: name === 'weight' ? places : dims,
            data: Float64Array.from(data),
            dtype: 'float64' as const,
          },
        ]),
      ),
    );
    return {
      loss: Number(results[total.name]!.data[0]),
      gradient: results[gradient!.name]!.data as Float64Array,
    };
  };
}

/** Corners of `count` boxes per image in 0…10, [2, 4, count]. */
function boxes(seed: number, count: number): number[] {
  const { uniform } = random(seed);
  return Array.from({ length: 2 }, () => {
    const all = Array.from({ length: count }, () => {
      const [x, y, w, h] = [uniform() * 5, uniform() * 5, 1 + uniform() * 4, 1 + uniform() * 4];
      return [x, y, x + w, y + h];
    });
    return [0, 1, 2, 3].flatMap((corner) => all.map((box) => box[corner]!));
  }).flat();
}

test.each([
  ['the same box', [0, 0, 2, 2], [0, 0, 2, 2], 0],
  ['half of it', [0, 0, 2, 2], [0, 0, 2, 1], 1 - 0.5],
  // I = 1, U = 7, C = 9
  ['a corner in common', [0, 0, 2, 2], [1, 1, 3, 3], 1 - (1 / 7 - 2 / 9)],
  // I = 0, U = 2, C = 4
  ['boxes apart', [0, 0, 1, 1], [3, 0, 4, 1], 1 - (0 - 2 / 4)],
])('box-giou of %s', async (_, student, teacher, expected) => {
  const run = await lossOf('box-giou', [1, 4, 1], false);
  expect((await run({ student, teacher })).loss).toBeCloseTo(expected, 6);
});

test('box-giou: places count by their weights', async () => {
  const run = await lossOf('box-giou', [1, 4, 2], true);
  // The first place agrees; the second, apart, has loss 1.5 and a quarter of the weight.
  const [student, teacher] = [
    [0, 0, 0, 0, 1, 1, 1, 1],
    [0, 3, 0, 0, 1, 4, 1, 1],
  ];
  expect((await run({ student, teacher, weight: [3, 1] })).loss).toBeCloseTo(1.5 / 4, 6);
});

test('output-variance: 0 for the same, 1 for the teacher’s mean', async () => {
  const run = await lossOf('output-variance', [2, 3], false);
  const teacher = [1, 2, 3, 4, 5, 9];
  expect((await run({ student: teacher, teacher })).loss).toBe(0);
  expect((await run({ student: [4, 4, 4, 4, 4, 4], teacher })).loss).toBeCloseTo(1, 9);
});

test.each([
  ['box-giou', [2, 4, 6], true],
  ['box-giou', [2, 4, 6], false],
  ['output-variance', [2, 4, 6], false],
] as const)('%s %j: the gradient is the central difference', async (kind, dims, hasWeights) => {
  const run = await lossOf(kind, dims, hasWeights);
  const { uniform } = random(5);
  const weight = Array.from({ length: 12 }, uniform);
  const feeds = { student: boxes(1, 6), teacher: boxes(2, 6), ...(hasWeights && { weight }) };
  const { gradient } = await run(feeds);
  const h = 1e-5;
  for (const [i, d] of gradient.entries()) {
    const at = async (step: number) =>
      (await run({ ...feeds, student: feeds.student.map((x, k) => (k === i ? x + step : x)) }))
        .loss;
    expect(Math.abs(((await at(h)) - (await at(-h))) / (2 * h) - d), `at ${i}`).toBeLessThan(1e-7);
  }
});
