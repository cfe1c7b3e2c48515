/** @file Teachers that differ from their students, and those that cannot teach. */

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { teacherOf } from '../../../workers/distillation/teacher.ts';
import { fedAsStudent } from '../../../workers/distillation/teacher-input.ts';
import { judgeTeacher } from '../../../workers/distillation/teacher-metric.ts';
import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import { emptyModel, type Model, Value } from '../../../workers/onnx/graph.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import type { TaskBinding } from '../../../workers/tasks/task.ts';
import { yolov8, yolov8Joined, yolox } from '../../helpers/head-models.ts';
import { SQUARE_CLASSES, squares } from '../../helpers/squares.ts';
import { tinyModel } from '../job/tiny.ts';
import { CONSTANT, noisy, taught } from './taught.ts';

const names = (...classes: string[]) => ({ metadata: { names: JSON.stringify(classes) } });
const student = () => bindTask(yolov8(), { classes: SQUARE_CLASSES });

test.each([
  ['in another order', yolov8(names('blue', 'red', 'green')), [1, 2, 0]],
  ['more of them', yolov8({ classes: 5, ...names('a', 'Green', 'RED', 'b', 'blue ') }), [2, 1, 4]],
  ['without names', yolov8(), [0, 1, 2]],
])('classes %s are matched by name', (_, model, expected) => {
  expect(teacherOf('other', model, student(), false).classes).toEqual(expected);
});

const resized = (h: number, w: number): Model => {
  const model = yolov8();
  model.graph.inputs[0]!.type = { kind: 'tensor', dtype: 'float32', shape: [1, 3, h, w] };
  return model;
};

test.each([
  ['classes that it does not know', yolov8(names('red', 'green', 'grey')), /does not know 'blue'/],
  ['another number of classes without names', yolov8({ classes: 2 }), /does not know/],
  ['another task', tinyModel(), /its task is not detect/],
  ['another aspect ratio', resized(64, 128), /64 × 128, the student's 64 × 64/],
])('%s: refused', (_, model, why) => {
  expect(() => teacherOf('other', model, student(), false)).toThrow(
    expect.objectContaining({
      code: 'TEACHER_DOES_NOT_FIT',
      message: expect.stringMatching(why),
      facts: expect.objectContaining({ teacher: 'other' }),
    }),
  );
});

test('a teacher whose file leaves the size open takes its student’s', () => {
  const model = yolov8();
  model.graph.inputs[0]!.type = { kind: 'tensor', dtype: 'float32', shape: [1, 3, 'h', 'w'] };
  expect(teacherOf('open', model, student(), false).binding).toMatchObject({
    inputSize: [64, 64],
    input: { size: [64, 64] },
  });
});

test('the metric of a teacher counts its classes in the student’s order', async () => {
  const images = await squares(await mkdtemp(join(tmpdir(), 'lathe-teacher-')), 3);
  const binding = student();
  const [own, other] = await Promise.all(
    [yolov8(), yolov8(names('blue', 'red', 'green'))].map((model) =>
      judgeTeacher(teacherOf('t', model, binding, false), binding, images, {}),
    ),
  );
  const classes = ({ evaluation }: typeof own & object) =>
    evaluation.predictions.map(({ prediction }) =>
      prediction.kind === 'boxes' ? prediction.boxes.map((b) => b.class) : [],
    );
  // The same numbers, of which the teacher with names says that class 0 is blue: class 2 here.
  const renamed = classes(own!).map((list) => list.map((c) => [2, 0, 1][c]));
  expect(classes(other!).map((list) => list.toSorted())).toEqual(
    renamed.map((list) => list.toSorted()),
  );
});

test.each([
  ['another head of its kind', yolov8Joined(), ['logit-bce', 'box-distribution']],
  [
    'another kind of head: outputs that do not fit',
    yolox({ decoded: true }),
    /their outputs have other shapes/,
  ],
])('a student is taught by %s', async (_, teacher, expected) => {
  const images = await squares(await mkdtemp(join(tmpdir(), 'lathe-teacher-')), 7);
  const run = taught(images, {
    teacher: noisy(teacher, 0.1),
    settings: { length: { steps: 2 } },
    distill: CONSTANT,
  });
  if (expected instanceof RegExp) await expect(run).rejects.toThrow(expected);
  else expect((await run).signals.map((s) => s.kind)).toEqual(expected);
});

/** How an image of one binding arrives at a teacher of another. */
async function seenBy(teacher: Partial<TaskBinding>, image: Float32Array): Promise<number[]> {
  const own = student();
  const other: TaskBinding = {
    ...own,
    ...teacher,
    input: { ...own.input!, name: 'x', ...teacher.input },
  };
  const model = emptyModel(10, 21);
  const [h, w] = other.input!.size;
  const x = new Value('x', { kind: 'tensor', dtype: 'float32', shape: [1, 3, h, w] });
  model.graph.inputs = [x];
  const two = { ...own, input: { ...own.input!, size: [2, 2] as const } };
  const g = new GraphBuilder(model.graph);
  const input = fedAsStudent(g, two, other, 1);
  model.graph.outputs = [g.op('Identity', [x], [1, 3, h, w])];
  const session = await openSession(model);
  const results = await session.run({ [input.name]: { dims: [1, 3, 2, 2], data: image } });
  await session.release();
  return [...(Object.values(results)[0]!.data as Float32Array)];
}

const IMAGE = Float32Array.from({ length: 12 }, (_, i) => i / 12);
const small = (size: readonly [number, number]) => ({ ...student().input!, name: 'x', size });
const preprocess = (more: object) => ({ ...student().preprocess, ...more });

test('the teacher sees its own channels, values and size', async () => {
  const same = await seenBy({ input: small([2, 2]) }, IMAGE);
  expect(same).toEqual([...IMAGE]);

  const bgr = await seenBy(
    { input: small([2, 2]), preprocess: preprocess({ channels: 'bgr', scale: 1 }) },
    IMAGE,
  );
  const swapped = [8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3].map((i) => (i / 12) * 255);
  for (const [i, v] of bgr.entries()) expect(v).toBeCloseTo(swapped[i]!, 3);

  const mean = [0.5, 0.4, 0.3];
  const shifted = await seenBy(
    { input: small([2, 2]), preprocess: preprocess({ mean, std: [0.2] }) },
    IMAGE,
  );
  for (const [i, v] of shifted.entries())
    expect(v).toBeCloseTo((i / 12 - mean[Math.floor(i / 4)]!) / 0.2, 5);

  const large = await seenBy({ input: small([4, 4]) }, IMAGE);
  expect(large).toHaveLength(48);
  expect(large[0]).toBeCloseTo(0, 6);
  expect(large[15]).toBeCloseTo(3 / 12, 6);
});
