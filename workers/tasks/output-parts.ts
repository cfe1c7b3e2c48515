/** @file The parts of an output that mean different things: boxes in pixels and scores in 0…1 share no scale. */

import type { ClassifyHead } from './classify.ts';
import type { DetectHead } from './detect/head.ts';
import type { Plane, TaskBinding } from './task.ts';

export interface OutputPart {
  readonly output: string;
  /** boxes, objectness or scores; '' is the whole output. */
  readonly part: string;
  /** The part's elements of one run, in a fixed order, as runs of neighbours. */
  chunks(plane: Plane): Iterable<Float32Array>;
}

const whole = (output: string): OutputPart => ({
  output,
  part: '',
  chunks: (plane) => [plane.data],
});

/** Every output of the model, a detector's divided by what its columns mean. */
export function outputParts(binding: TaskBinding, outputs: readonly string[]): OutputPart[] {
  return outputs.flatMap((name) => {
    const head = binding.task === 'detect' ? (binding.head as DetectHead) : undefined;
    return head?.output === name ? detectParts(head) : [whole(name)];
  });
}

function detectParts(head: DetectHead): OutputPart[] {
  const { output } = head;
  if (head.kind === 'end-to-end')
    return [
      { output, part: 'boxes', chunks: (plane) => columns(plane, 'middle', 0, 4) },
      { output, part: 'scores', chunks: (plane) => columns(plane, 'middle', 4, 5) },
    ];
  const first = head.objectness ? 5 : 4;
  const part = (name: string, from: number, to: number): OutputPart => ({
    output,
    part: name,
    chunks: (plane) => columns(plane, head.candidates, from, to),
  });
  return [
    part('boxes', 0, 4),
    ...(head.objectness ? [part('objectness', 4, 5)] : []),
    part('scores', first, first + head.classes),
  ];
}

/** Columns from … to − 1 of every candidate of the first image. */
function* columns(
  { dims, data }: Plane,
  candidates: 'last' | 'middle',
  from: number,
  to: number,
): Generator<Float32Array> {
  const [, middle = 0, last = 0] = dims;
  if (candidates === 'last') yield data.subarray(from * last, to * last);
  else for (let a = 0; a < middle; a++) yield data.subarray(a * last + from, a * last + to);
}

/** What finds things: the class scores of a detector or classifier. Undefined for generic models. */
export function scorePart(binding: TaskBinding): OutputPart | undefined {
  if (binding.task === 'detect')
    return detectParts(binding.head as DetectHead).find((p) => p.part === 'scores');
  return binding.task === 'classify' ? whole((binding.head as ClassifyHead).output) : undefined;
}
