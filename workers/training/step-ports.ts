/** @file Inputs and outputs of a training step: state that goes in and comes out, and scalars. */

import type { GraphBuilder } from '../onnx/builder.ts';
import { Value } from '../onnx/graph.ts';
import { type Group, initialOf } from './flat-groups.ts';

/** Names of scalar inputs, each there where something uses it. */
export const SCALARS = { lr: 'step/lr', emaKeep: 'step/ema-keep', apply: 'step/apply' } as const;
export const optimizerScalar = (name: string): string => `step/${name}`;

/** A tensor that goes in and comes out every step. */
export interface StateTensor {
  readonly kind: 'weights' | 'optimizer' | 'ema' | 'gradient' | 'statistics';
  readonly input: string;
  readonly output: string;
  readonly dims: readonly number[];
  readonly initial: Float32Array<ArrayBuffer>;
  /** Initializers of the model that it holds, side by side. */
  readonly parts: readonly { readonly name: string; readonly size: number }[];
}

export class StepPorts {
  readonly states: StateTensor[] = [];
  /** Where the states come out, in the same order. */
  readonly outputs: Value[] = [];
  readonly #g: GraphBuilder;
  readonly #scalars = new Map<string, Value>();

  constructor(g: GraphBuilder) {
    this.#g = g;
  }

  input(name: string, shape: readonly number[]): Value {
    const value = new Value(name, { kind: 'tensor', dtype: 'float32', shape });
    this.#g.graph.inputs.push(value);
    return value;
  }

  /** The scalar input of that name, made at its first use. */
  scalar(name: string): Value {
    const known = this.#scalars.get(name) ?? this.input(name, []);
    this.#scalars.set(name, known);
    return known;
  }

  /** A state: `from`, an input, becomes `to`. */
  keep(state: Omit<StateTensor, 'input' | 'output'>, from: Value, to: Value): void {
    this.states.push({ ...state, input: from.name, output: to.name });
    this.outputs.push(to);
  }

  /** A vector over a group's parameters. Weights and their averages start as the model came, the others at 0. */
  keepGroup(kind: StateTensor['kind'], group: Group, from: Value, to: Value): void {
    const startsAsModel = kind === 'weights' || kind === 'ema';
    const initial = startsAsModel ? initialOf(group) : new Float32Array(group.size);
    const parts = group.parameters.map((p) => ({ name: p.value.name, size: p.initial.size }));
    this.keep({ kind, dims: [group.size], initial, parts }, from, to);
  }
}
