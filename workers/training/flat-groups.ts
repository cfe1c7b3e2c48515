/** @file Weights as flat vectors: parameters that are updated alike lie side by side in one. */

import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { shapeOf, sizeOf } from '../onnx/static-shapes.ts';
import { floatsOf } from '../onnx/values.ts';
import type { TrainedTensor } from './parameters.ts';

export interface Group {
  readonly name: string;
  readonly parameters: readonly TrainedTensor[];
  readonly size: number;
  readonly decay: number;
  /** Scalar input that its learning rate is multiplied by; undefined: none. */
  readonly gate?: string;
}

/** Name of the scalar input, 1 or 0, by which ranges move or stay. */
export const RANGE_GATE = 'step/ranges';

/** Weights that are decayed, biases and norms that are not, and ranges; a group without any is left out. */
export function groupsOf(parameters: readonly TrainedTensor[], decay: number): Group[] {
  const make = (name: string, mine: readonly TrainedTensor[], strength: number): Group[] =>
    mine.length === 0
      ? []
      : [{ name, parameters: mine, size: sum(mine.map((p) => p.initial.size)), decay: strength }];
  const of = (...roles: TrainedTensor['role'][]) =>
    parameters.filter(({ role }) => roles.includes(role));
  return [
    ...make('decayed', of('weight'), decay),
    ...make('plain', of('bias', 'norm'), 0),
    ...make('ranges', of('range'), 0).map((group) => ({ ...group, gate: RANGE_GATE })),
  ];
}

/** What the model came with, side by side. */
export function initialOf({ parameters, size }: Group): Float32Array<ArrayBuffer> {
  const flat = new Float32Array(size);
  let at = 0;
  for (const { initial } of parameters) {
    flat.set(floatsOf(initial), at);
    at += initial.size;
  }
  return flat;
}

/** The group's initializers become parts of one input vector, in nodes before all others. */
export function unpack(g: GraphBuilder, { parameters }: Group, flat: Value): void {
  const { graph } = g;
  const forward = graph.nodes;
  graph.nodes = [];
  const pieces = split(g, parameters, flat);
  const mine = new Set(parameters.map((p) => p.value));
  graph.initializers = graph.initializers.filter((v) => !mine.has(v));
  graph.inputs = graph.inputs.filter((v) => !mine.has(v));
  for (const [i, { value }] of parameters.entries()) {
    const shape = shapeOf(value);
    value.constant = undefined;
    graph.nodes.push({
      name: g.name(`${value.name}/Reshape`),
      op: 'Reshape',
      domain: '',
      inputs: [pieces[i], g.ints(shape)],
      outputs: [value],
      attributes: {},
    });
  }
  graph.nodes.push(...forward);
}

/** One vector per parameter. */
export function split(
  g: GraphBuilder,
  parameters: readonly TrainedTensor[],
  flat: Value,
): readonly Value[] {
  if (parameters.length === 1) return [flat];
  const sizes = parameters.map((p) => sizeOf(shapeOf(p.value)));
  const shapes = sizes.map((s) => [s]);
  return g.ops('Split', [flat, g.ints(sizes)], shapes, { axis: { type: 'int', value: 0 } });
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
