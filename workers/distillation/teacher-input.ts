/** @file From the student's image, as it was preprocessed, to the teacher's: inside the teacher's graph. */

import type { Preprocess } from '../../src/contract/preprocess.ts';
import { string } from '../onnx/attributes.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { Value } from '../onnx/graph.ts';
import { range, shapeOf } from '../onnx/static-shapes.ts';
import { type ModelInput, shapeAt } from '../tasks/model-input.ts';
import type { TaskBinding } from '../tasks/task.ts';

/**
 * x_t = a·x_s + b per channel, where both come from one pixel v:  x = (v·scale − mean) / std,  so
 * a = std_s·scale_t / (scale_s·std_t),  b = (mean_s·scale_t / scale_s − mean_t) / std_t; then channels in the teacher's order, and
 * its size by bilinear interpolation.
 *
 * @param g builder of the teacher's graph, whose image input becomes the last of the nodes that are put before all others
 * @param batch images of one run
 * @returns the new input: images as the student takes them
 */
export function fedAsStudent(
  g: GraphBuilder,
  student: TaskBinding,
  teacher: TaskBinding,
  batch: number,
): Value {
  const { graph } = g;
  const [from, to] = [student.input!, teacher.input!];
  const target = graph.inputs.find((v) => v.name === to.name)!;
  const image = new Value(g.name('student/image'), {
    kind: 'tensor',
    dtype: 'float32',
    shape: shapeAt(from, batch),
  });
  const rest = graph.nodes;
  graph.nodes = [];
  const planes = from.layout === 'NCHW' ? image : g.transpose(image, [0, 3, 1, 2]);
  const valued = revalued(g, ordered(g, planes, student, teacher), student, teacher);
  const sized = resized(g, valued, to);
  const last = to.layout === 'NCHW' ? sized : g.transpose(sized, [0, 2, 3, 1]);
  graph.nodes.push({
    name: g.name(`${target.name}/Identity`),
    op: 'Identity',
    domain: '',
    inputs: [last],
    outputs: [target],
    attributes: {},
  });
  graph.nodes.push(...rest);
  graph.inputs = graph.inputs.map((v) => (v === target ? image : v));
  return image;
}

const swapped = (a: TaskBinding, b: TaskBinding): boolean =>
  a.input!.channels === 3 && a.preprocess.channels !== b.preprocess.channels;

const ordered = (g: GraphBuilder, x: Value, student: TaskBinding, teacher: TaskBinding): Value =>
  swapped(student, teacher) ? g.gather(x, g.ints([2, 1, 0]), 1) : x;

function revalued(g: GraphBuilder, x: Value, student: TaskBinding, teacher: TaskBinding): Value {
  const [s, t] = [student.preprocess, teacher.preprocess];
  const channels = range(student.input!.channels);
  const lines = channels.map((c) => {
    const own = swapped(student, teacher) ? 2 - c : c;
    const ratio = t.scale / s.scale;
    const std = of(t.std, c, 1);
    return [
      (of(s.std, own, 1) * ratio) / std,
      (of(s.mean, own, 0) * ratio - of(t.mean, c, 0)) / std,
    ] as const;
  });
  if (lines.every(([a, b]) => Math.abs(a - 1) < 1e-7 && Math.abs(b) < 1e-7)) return x;
  const vector = (i: 0 | 1) =>
    g.floats(
      [1, channels.length, 1, 1],
      lines.map((line) => line[i]),
      x,
    );
  return g.add(g.mul(x, vector(0)), vector(1));
}

/** A single number holds for all channels. */
const of = (numbers: Preprocess['mean'], channel: number, otherwise: number): number =>
  numbers[channel] ?? numbers[0] ?? otherwise;

function resized(g: GraphBuilder, x: Value, { size, channels }: ModelInput): Value {
  const [batch, , height, width] = shapeOf(x) as [number, number, number, number];
  if (height === size[0] && width === size[1]) return x;
  const scales = g.floats([4], [1, 1, size[0] / height, size[1] / width], x);
  return g.op('Resize', [x, undefined, scales], [batch, channels, ...size], {
    mode: string('linear'),
    coordinate_transformation_mode: string('half_pixel'),
  });
}
