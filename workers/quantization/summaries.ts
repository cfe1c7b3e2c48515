/** @file Large tensors summed up where they are computed: extremes and an even sample of them come out, not every value. */

import { int } from '../onnx/attributes.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Model, Value } from '../onnx/graph.ts';
import type { HostTensor } from '../runtime/session.ts';
import { withOutputs } from '../runtime/taps.ts';
import { stepFor } from './histogram.ts';

/** What a run gave, by name. */
export type Results = Readonly<Record<string, HostTensor>>;

/** What is told of one tensor. */
export interface Summary {
  readonly min: number;
  readonly max: number;
  /** False: NaN or infinity is among the values. */
  readonly finite: boolean;
  /** Every so many of the values, from the first on. */
  readonly sample: Float32Array;
}

export interface Summarized {
  /** Its outputs are the summaries', then the tensors that come whole. */
  readonly model: Model;
  /** Of a tensor that was summed up; undefined: it comes whole. */
  summaryOf(name: string, results: Results): Summary | undefined;
}

/**
 * The extremes find infinities but may pass NaN over, so Σ|x| is asked for it.
 *
 * @param lengths numbers of values, of the tensors to sum up
 * @param whole names of tensors that come out as they are
 * @param sample at most about so many values of each
 */
export function summarize(
  model: Model,
  lengths: ReadonlyMap<string, number>,
  whole: readonly string[],
  sample: number,
): Summarized {
  const copy = withOutputs(model, [...lengths.keys(), ...whole]);
  const { graph } = copy;
  const g = new GraphBuilder(graph);
  const made = new Map(
    graph.outputs.flatMap((x) => {
      const length = lengths.get(x.name);
      return length === undefined ? [] : [[x.name, summaryNodes(g, x, length, sample)] as const];
    }),
  );
  graph.outputs = [
    ...[...made.values()].flatMap((nodes) => Object.values(nodes)),
    ...graph.outputs.filter((x) => !made.has(x.name)),
  ];
  return {
    model: copy,
    summaryOf(name, results) {
      const of = made.get(name);
      if (!of) return undefined;
      const numbers = (v: Value) => results[v.name]!.data as Float32Array;
      const [min, max, norm] = [of.min, of.max, of.norm].map((v) => numbers(v)[0]!);
      const finite = Number.isFinite(min) && Number.isFinite(max) && !Number.isNaN(norm);
      return { min: min!, max: max!, finite, sample: numbers(of.sample) };
    },
  };
}

function summaryNodes(g: GraphBuilder, x: Value, length: number, sample: number) {
  const flat = g.op('Reshape', [x, g.ints([-1])], [length], {}, 'float32');
  const over = (op: string) => g.op(op, [flat], [], { keepdims: int(0) }, 'float32');
  const every = stepFor(length, sample);
  return {
    min: over('ReduceMin'),
    max: over('ReduceMax'),
    norm: over('ReduceL1'),
    sample: g.slice(flat, [0], [0], [Number.MAX_SAFE_INTEGER], [every]),
  };
}
