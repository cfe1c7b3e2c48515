/** @file Which constants of a model training changes: its parameters. */

import type { Graph, Node, Value } from '../onnx/graph.ts';
import { namePattern } from '../onnx/name-pattern.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { isTrained, weightIndex } from '../onnx/trained.ts';
import { GraphIndex } from '../onnx/uses.ts';

/** A tensor that updates change. */
export interface TrainedTensor {
  readonly value: Value;
  /** What it starts as. */
  readonly initial: Tensor;
  /**
   * Biases and norms are not decayed: pulling them to zero only hurts (He 2019, Bag of Tricks). Ranges of quantized numbers are
   * not either, and have a rate of their own.
   */
  readonly role: 'weight' | 'bias' | 'norm' | 'range';
}

export interface Parameter extends TrainedTensor {
  /** Node that it belongs to. */
  readonly node: Node;
}

/** Trainable vectors of norms (never their statistics) and slopes. */
const NORM_INPUTS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  GroupNormalization: [1, 2],
  RMSNormalization: [1],
  PRelu: [1],
};

/** What stays as it is: names or patterns (`*`) of parameters or nodes, or how many weighted layers, from the input. */
export type Freeze = number | readonly string[];

/**
 * Float32 initializers that are trained weights or biases of Conv, ConvTranspose, Gemm, MatMul, or scales and shifts of norms, each
 * once, in graph order.
 */
export function findParameters(graph: Graph, freeze: Freeze = []): Parameter[] {
  const index = new GraphIndex(graph);
  const initializers = new Set(graph.initializers);
  const found = new Map<Value, Parameter>();
  const named = typeof freeze === 'number' ? [] : freeze.map(namePattern);
  let depth = 0;
  for (const node of graph.nodes) {
    const mine = parametersOf(node, index);
    if (mine.some((p) => p.role === 'weight')) depth++;
    if (typeof freeze === 'number' && depth <= freeze) continue;
    for (const p of mine) {
      const { constant } = p.value;
      if (constant?.dtype !== 'float32' || !initializers.has(p.value) || found.has(p.value))
        continue;
      if (named.some((test) => test(p.value.name) || test(node.name))) continue;
      found.set(p.value, { ...p, initial: constant });
    }
  }
  return [...found.values()];
}

function parametersOf(node: Node, index: GraphIndex): Omit<Parameter, 'initial'>[] {
  if (node.domain !== '') return [];
  const at = weightIndex(node);
  if (at !== undefined) {
    if (!isTrained(node)) return [];
    const weight = { value: node.inputs[at]!, node, role: 'weight' } as const;
    const bias = node.op === 'MatMul' ? addedAfter(node, index) : node.inputs[2];
    return bias?.constant ? [weight, { value: bias, node, role: 'bias' }] : [weight];
  }
  return (NORM_INPUTS[node.op] ?? []).flatMap((i) => {
    const value = node.inputs[i];
    return value?.constant ? [{ value, node, role: 'norm' } as const] : [];
  });
}

/** The constant vector of an Add that alone follows a MatMul. */
function addedAfter(node: Node, index: GraphIndex): Value | undefined {
  const uses = node.outputs[0] ? index.uses(node.outputs[0]) : [];
  if (uses.length !== 1 || uses[0]!.node.op !== 'Add') return undefined;
  const other = uses[0]!.node.inputs[1 - uses[0]!.index];
  return other?.constant && other.constant.dims.length === 1 ? other : undefined;
}
