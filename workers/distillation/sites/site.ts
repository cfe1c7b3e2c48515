/** @file What a site is: places in two models that say the same thing, found by topology. One file per kind. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph, Value } from '../../onnx/graph.ts';
import type { TaskBinding } from '../../tasks/task.ts';

/** A model as it is run: all sizes known. */
export interface End {
  readonly graph: Graph;
  readonly binding: TaskBinding;
  /** Images of one run. */
  readonly batch: number;
}

/** A tensor that is made of values of a graph. */
export interface Reading {
  readonly reads: readonly Value[];
  build(g: GraphBuilder): Value;
}

export interface Pair {
  /** For people: what is compared. */
  readonly name: string;
  readonly student: Reading;
  readonly teacher: Reading;
  /** The teacher's class logits at the same locations, [B, C, A] or [B, C]. */
  readonly certainty?: Reading;
  /** Box logits: bins of one side. */
  readonly bins?: number;
}

export interface BothEnds {
  readonly student: End;
  readonly teacher: End;
  /** For each class of the student its index among the teacher's. */
  readonly classes: readonly number[];
}

/** @returns in words why the two have no such places, where they have none */
export type Site = (ends: BothEnds) => readonly Pair[] | string;

/** A value as it stands. */
export const plain = (value: Value): Reading => ({ reads: [value], build: () => value });

/** Whether classes come in the same order and number on both sides. */
export const sameClasses = ({ classes, teacher }: BothEnds): boolean =>
  classes.every((c, i) => c === i) && (teacher.binding.classes?.length ?? 0) === classes.length;
