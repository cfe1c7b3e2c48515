/** @file Places that the spec names: a tensor of the student and one of the teacher. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { nearest } from '../../../src/contract/nearest.ts';
import type { Graph, Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { Reads } from '../signals/signal.ts';
import type { BothEnds, End, Pair, Reading } from './site.ts';

/** Signals of locations take [B, C, A]. */
const BY_LOCATION: ReadonlySet<Reads> = new Set(['classes', 'box-logits']);

export interface NamedSignal {
  readonly kind: string;
  readonly student?: string | undefined;
  readonly teacher?: string | undefined;
}

/**
 * @param spec names at least one of both; the other is called the same
 * @throws SIGNAL_DOES_NOT_FIT
 */
export function namedPair(spec: NamedSignal, reads: Reads, { student, teacher }: BothEnds): Pair {
  if (reads === 'boxes')
    throw misfit(spec.kind, 'boxes are decoded from the head: leave student and teacher out');
  const [own, other] = [spec.student ?? spec.teacher!, spec.teacher ?? spec.student!];
  const pruned = tensorNamed(teacher.graph, own) !== undefined;
  const x = find(spec.kind, student, own, 'student', pruned ? 'was pruned away or' : '');
  const y = find(spec.kind, teacher, other, 'teacher', '');
  return {
    name: own === other ? own : `${own} ~ ${other}`,
    student: reading(x, reads),
    teacher: reading(y, reads),
  };
}

function find(kind: string, { graph }: End, name: string, whose: string, why: string): Value {
  const value = tensorNamed(graph, name);
  if (value !== undefined) return value;
  const near = nearest(name, namesOf(graph));
  throw misfit(
    kind,
    `the tensor '${name}' ${why ? `${why} renamed: it ` : ''}is not in the ${whose}${near ? `; did you mean '${near}'?` : ''}`,
  );
}

const tensorNamed = (graph: Graph, name: string): Value | undefined =>
  graph.nodes.flatMap((node) => node.outputs).find((v) => v?.name === name);

const namesOf = (graph: Graph): string[] =>
  graph.nodes.flatMap((node) => node.outputs.flatMap((v) => (v ? [v.name] : [])));

function reading(value: Value, reads: Reads): Reading {
  return {
    reads: [value],
    build: (g) => {
      const shape = shapeOf(value);
      if (!BY_LOCATION.has(reads) || shape.length <= 3) return value;
      return g.reshape(value, [shape[0]!, shape[1]!, sizeOf(shape.slice(2))]);
    },
  };
}

export const misfit = (signal: string, why: string): ServiceError =>
  new ServiceError('SIGNAL_DOES_NOT_FIT', { signal, why });
