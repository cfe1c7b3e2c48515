/** @file What can be seen of a tensor in one run, as few numbers: computed inside the graph, so that outputs stay small. */

import type { GraphBuilder } from '../../../onnx/builder.ts';
import type { Value } from '../../../onnx/graph.ts';
import { range, shapeOf, sizeOf } from '../../../onnx/static-shapes.ts';

/** Numbers wanted of one tensor, per entry of one of its axes. */
export interface Tap {
  readonly reduce: ReductionName;
  readonly value: Value;
  readonly axis: number;
}

/** Somebody who wants to see tensors of every run. */
export interface Observer {
  /** None: it need not be asked. */
  readonly taps: readonly Tap[];
  /** One run: the numbers of each tap, in the order of `taps`, and the number of the image. */
  see?(numbers: readonly Float32Array[], image: number): void;
}

interface Reduction {
  /** Whether it needs dL/dv. */
  readonly gradient: boolean;
  /**
   * @param v  the tensor
   * @param dv its gradient, of the same shape
   */
  build(g: GraphBuilder, v: Value, axis: number, dv: Value | undefined): Value;
}

const others = (v: Value, axis: number) => range(shapeOf(v).length).filter((i) => i !== axis);
const sum = (g: GraphBuilder, v: Value, axis: number) => g.sum(v, others(v, axis), false);
const mean = (g: GraphBuilder, v: Value, axis: number) =>
  g.reduce('ReduceMean', v, others(v, axis), false);

/** The tensor as (entries of the axis, everything else). */
function rows(g: GraphBuilder, v: Value, axis: number): Value {
  const shape = shapeOf(v);
  const moved = g.transpose(v, [axis, ...others(v, axis)]);
  return g.reshape(moved, [shape[axis]!, sizeOf(shape) / shape[axis]!]);
}

/** n: entries of the axis. Sums and means run over all other axes. */
export const REDUCTIONS = {
  /** Σ v·∂L/∂v, (n). */
  gate: { gradient: true, build: (g, v, axis, dv) => sum(g, g.mul(v, dv!), axis) },
  /** Σ (v·∂L/∂v)², (n). */
  squaredGate: {
    gradient: true,
    build: (g, v, axis, dv) => {
      const gate = g.mul(v, dv!);
      return sum(g, g.mul(gate, gate), axis);
    },
  },
  /** v·∂L/∂v of every element, row-major. */
  eachGate: { gradient: true, build: (g, v, _, dv) => g.mul(v, dv!) },
  /** Σ over the axis of (∂L/∂v)²: one number per position, row-major over all other axes. */
  sensitivity: {
    gradient: true,
    build: (g, _, axis, dv) => g.sum(g.mul(dv!, dv!), [axis], false),
  },
  /** Mean of v, (n). */
  mean: { gradient: false, build: mean },
  /** Mean of v², (n). */
  energy: { gradient: false, build: (g, v, axis) => mean(g, g.mul(v, v), axis) },
  /** Mean of v·vᵀ, (n, n). */
  gram: {
    gradient: false,
    build: (g, v, axis) => {
      const x = rows(g, v, axis);
      return g.scale(g.matmul(x, g.swap(x)), 1 / shapeOf(x)[1]!);
    },
  },
} as const satisfies Record<string, Reduction>;

export type ReductionName = keyof typeof REDUCTIONS;
