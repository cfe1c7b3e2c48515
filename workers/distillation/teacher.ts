/** @file A teacher: a model that may differ from its student in architecture, input size, preprocessing and class order. */

import { ServiceError } from '../../src/contract/errors.ts';
import { dtypeKnown, type Model, shapeKnown } from '../onnx/graph.ts';
import { range } from '../onnx/static-shapes.ts';
import { bindTask } from '../tasks/registry.ts';
import type { TaskBinding } from '../tasks/task.ts';

export interface Teacher {
  /** For people: as the spec has it. */
  readonly name: string;
  readonly model: Model;
  readonly binding: TaskBinding;
  /** For each class of the student its index among the teacher's. */
  readonly classes: readonly number[];
}

/**
 * @param student how the student's outputs are read; its preprocess is the resolved one
 * @param own whether the teacher is read as the student is: the job's input, or made from it
 * @throws TEACHER_DOES_NOT_FIT
 */
export function teacherOf(name: string, model: Model, student: TaskBinding, own: boolean): Teacher {
  const unfit = (why: string) => new ServiceError('TEACHER_DOES_NOT_FIT', { teacher: name, why });
  const found = bound(model, student, own, unfit);
  if (found.input === undefined) throw unfit('it takes no image');
  const value = model.graph.inputs.find((v) => v.name === found.input?.name);
  const isOpen = shapeKnown(value)
    ?.slice(1)
    .some((d) => typeof d !== 'number');
  const binding = isOpen ? atSizeOf(student, found) : found;
  const input = binding.input!;
  if (dtypeKnown(value) !== 'float32')
    throw unfit(`its input '${input.name}' is ${dtypeKnown(value)}; a teacher takes float32`);
  if (input.channels !== student.input?.channels)
    throw unfit(
      `it takes images of ${input.channels} channel(s), the student of ${student.input?.channels ?? 0}`,
    );
  const [[h, w], [sh, sw]] = [binding.inputSize, student.inputSize];
  if (h * sw !== w * sh)
    throw unfit(
      `its input is ${h} × ${w}, the student's ${sh} × ${sw}: sizes may differ, aspect ratios may not`,
    );
  return { name, model, binding, classes: classMap(binding, student, unfit) };
}

/** A teacher whose file leaves the size open sees what its student sees. */
const atSizeOf = ({ inputSize }: TaskBinding, own: TaskBinding): TaskBinding => ({
  ...own,
  inputSize,
  input: { ...own.input!, size: inputSize },
});

type Unfit = (why: string) => ServiceError;

function bound(model: Model, student: TaskBinding, own: boolean, unfit: Unfit): TaskBinding {
  const { task, classes, preprocess } = student;
  try {
    return bindTask(model, { task, classes, ...(own && { preprocess }) });
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'TASK_DOES_NOT_FIT') throw error;
    throw unfit(`its task is not ${task}: ${(error.facts as { why: string }).why}`);
  }
}

const plain = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');

/** By name; by number where both have as many and one side has no names. */
function classMap(
  { classes: teacher }: TaskBinding,
  { classes: student }: TaskBinding,
  unfit: Unfit,
): readonly number[] {
  if (student === undefined || teacher === undefined) return [];
  const numbered = [student, teacher].some((names) => names.every((n) => /^\d+$/.test(n)));
  if (numbered && student.length === teacher.length) return range(student.length);
  const places = new Map(teacher.map((name, i) => [plain(name), i]));
  const missing = student.filter((name) => !places.has(plain(name)));
  if (missing.length === 0) return student.map((name) => places.get(plain(name))!);
  const some = (names: readonly string[]) =>
    `${names
      .slice(0, 5)
      .map((n) => `'${n}'`)
      .join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
  throw unfit(
    `it does not know ${some(missing)}; its ${teacher.length} classes are ${some(teacher)}, and classes are matched by name`,
  );
}
