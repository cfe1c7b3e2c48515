/** @file What a distillation signal is. One file per kind, one line each in registry.ts. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';

export interface SignalOptions {
  /** Divides logits, or features before a softmax over positions; 1 unless stated. */
  readonly temperature?: number;
  /** Weight ≥ 0 of each location, [B, A]; default: all alike. Signals per location only. */
  readonly locationWeight?: Value;
  /** 1×1 convolution [teacher channels, student channels] that brings the student's channels to the teacher's. */
  readonly adapter?: Value;
  /** Smooth L1: size of difference, in the outputs' own units, where the parabola becomes a line; 1 unless stated. */
  readonly beta?: number;
  /** Bins of one side's distribution: 16 unless stated. */
  readonly bins?: number;
}

/** What a signal compares: class logits, logits of distances, boxes, features, or plain outputs. */
export type Reads = 'classes' | 'box-logits' | 'boxes' | 'features' | 'outputs';

export interface Signal {
  readonly summary: string;
  /** Where student and teacher are compared, unless the spec names tensors. */
  readonly reads: Reads;
  /**
   * Appends the nodes of the loss: a scalar, 0 where the student does as its teacher.
   *
   * @param student value of the trained graph: gradients flow into it
   * @param teacher a graph input, or a value cut off from the gradient
   */
  build(g: GraphBuilder, student: Value, teacher: Value, options: SignalOptions): Value;
}
