/** @file What a way to factorize a layer is: a chain of narrower layers, rank by rank. */

import type { Node, Value } from '../../../onnx/graph.ts';
import type { Tensor } from '../../../onnx/tensor.ts';

/** A Conv of one group, a Gemm or a MatMul with a weight of its own. */
export interface FullLayer {
  readonly node: Node;
  readonly weight: Value;
  /** Sizes of input and output, batch included. */
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly macs: number;
}

/** One layer of the chain, in order; the last one makes the output and adds the bias. */
export interface Part {
  readonly op: 'Conv' | 'Gemm' | 'MatMul';
  readonly weight: Tensor;
  readonly attributes: Node['attributes'];
}

/** One choice of ranks. */
export interface Candidate {
  readonly form: string;
  /** Widths between the parts. */
  readonly ranks: readonly number[];
  /** Share of the weight's squared norm that is lost, 0…1. */
  readonly lost: number;
  readonly params: number;
  readonly macs: number;
}

export interface Form {
  readonly summary: string;
  /** Undefined: the form is not for such a layer. */
  prepare(layer: FullLayer): Prepared | undefined;
}

/** A layer, decomposed once. */
export interface Prepared {
  candidates(): Candidate[];
  parts(ranks: readonly number[]): Part[];
  /** The weight that the parts amount to, of the layer's own shape. */
  whole(ranks: readonly number[]): Tensor;
}

/** Parts of the full rank that are tried: every one below all of it. */
const STEPS = 32;

export const ladder = (full: number): number[] => [
  ...new Set(
    Array.from({ length: STEPS - 1 }, (_, k) => Math.max(1, Math.round((full * (k + 1)) / STEPS))),
  ),
];
