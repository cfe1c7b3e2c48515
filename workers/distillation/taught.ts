/** @file The teacher's graph, ending in what the student is compared with. */

import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Value } from '../onnx/graph.ts';
import { shapeOf } from '../onnx/static-shapes.ts';
import { optionsOf } from './balance.ts';
import type { JoinedPair, JoinedSignal } from './join.ts';
import { SIGNALS } from './signals/registry.ts';
import type { Signal } from './signals/signal.ts';
import type { BothEnds } from './sites/site.ts';
import { fedAsStudent } from './teacher-input.ts';
import type { Taught } from './teacher-session.ts';
import { type ConfidenceOptions, confidence } from './weighting/confidence.ts';
import { WEIGHTINGS } from './weighting/registry.ts';
import type { Weighting } from './weighting/weighting.ts';

export interface TaughtValues {
  /** Input of the teacher's graph. */
  readonly image: string;
  readonly all: readonly Taught[];
  /** By pair: what the student is compared with, and how much each location counts. */
  readonly of: ReadonlyMap<JoinedPair, { readonly target: Taught; readonly weight?: Taught }>;
}

/** The teacher's graph, ending in what the signals read: [B, …], in the student's order of classes. */
export function taughtBy(
  graph: Graph,
  signals: readonly JoinedSignal[],
  ends: BothEnds,
): TaughtValues {
  const g = new GraphBuilder(graph);
  const image = fedAsStudent(g, ends.student.binding, ends.teacher.binding, ends.teacher.batch);
  const outputs: Value[] = [];
  const all: Taught[] = [];
  const taught = (value: Value, input: string): Taught => {
    const output = g.op('Identity', [value], shapeOf(value));
    outputs.push(output);
    const dims = [ends.student.batch, ...shapeOf(value).slice(1)];
    all.push({ output: output.name, input, dims });
    return all.at(-1)!;
  };
  const of = new Map(
    signals.flatMap((signal) =>
      signal.pairs.map((one, k) => {
        const name = `distill/${signal.name}/${k}`;
        const target = taught(one.pair.teacher.build(g), `${name}/teacher`);
        const weight = locationsOf(g, signal, one);
        return [
          one,
          { target, ...(weight && { weight: taught(weight, `${name}/weight`) }) },
        ] as const;
      }),
    ),
  );
  graph.outputs = outputs;
  return { image: image.name, all, of };
}

/** Boxes count where the teacher is certain that there is something; classes where the rule asks for it. */
function locationsOf(
  g: GraphBuilder,
  { kind, rule }: JoinedSignal,
  { pair: { certainty } }: JoinedPair,
): Value | undefined {
  if (certainty === undefined) return undefined;
  const own = WEIGHTINGS[rule.rule] as Weighting<unknown, unknown>;
  const options: ConfidenceOptions = { ...confidence.defaults, activation: activationOf(kind) };
  if (own.locations)
    return own.locations(g, certainty.build(g), { ...options, ...(optionsOf(rule) as object) });
  const { reads } = SIGNALS[kind] as Signal;
  if (reads !== 'boxes' && reads !== 'box-logits') return undefined;
  return confidence.locations!(g, certainty.build(g), options);
}

const activationOf = (kind: JoinedSignal['kind']) => (kind === 'logit-kl' ? 'softmax' : 'sigmoid');
