/** @file What a model costs: multiply-accumulates and parameters, as product figures define them. */

import { intOf } from './attributes.ts';
import type { Graph, Model, Node, Value } from './graph.ts';

/** Norms, whose scale and statistics count as parameters beside the weights of the four product ops. */
const PARAMETER_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2, 3, 4],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  GroupNormalization: [1, 2],
  RMSNormalization: [1],
  PRelu: [1],
};

const FLOATS = new Set(['float32', 'float16', 'bfloat16', 'float64']);

/**
 * Elements of the constants that are weights or biases of Conv, ConvTranspose, Gemm, MatMul and of norms. An elementwise
 * bias (Add after MatMul) counts where it is a constant vector on the product's last axis. Quantized constants count too, seen
 * through their DequantizeLinear. Each constant counts once.
 */
export function countParams(model: Model): number {
  return parameterValues(model).reduce((n, v) => n + v.constant!.size, 0);
}

/** The constants that count as parameters, each once. */
export function parameterValues(model: Model): Value[] {
  const counted = new Set<Value>();
  const producers = new Map<Value, Node>();
  for (const node of model.graph.nodes) for (const y of node.outputs) if (y) producers.set(y, node);
  const source = (v: Value | undefined): Value | undefined => {
    const maker = v && producers.get(v);
    return maker?.op === 'DequantizeLinear' ? maker.inputs[0] : v;
  };
  for (const node of model.graph.nodes) {
    for (const i of parameterInputs(node, producers)) {
      const value = source(node.inputs[i]);
      if (value?.constant && (FLOATS.has(value.constant.dtype) || value !== node.inputs[i]))
        counted.add(value);
    }
  }
  return [...counted];
}

function parameterInputs(node: Node, producers: ReadonlyMap<Value, Node>): readonly number[] {
  if (node.op !== 'Add') return PARAMETER_INPUTS[node.op] ?? [];
  const product = [0, 1].find((i) => producers.get(node.inputs[i]!)?.op === 'MatMul');
  const bias = product === undefined ? undefined : node.inputs[1 - product];
  return bias?.constant && bias.constant.dims.length === 1 ? [1 - product!] : [];
}

/** Multiply-accumulates of Conv, ConvTranspose, Gemm and MatMul at batch 1. Needs types (runtime/infer-types.ts). */
export function countMacs(model: Model): number {
  return model.graph.nodes.reduce((sum, node) => sum + macsOf(node, model.graph), 0);
}

/** MACs of one node at batch 1; 0 for other ops, and where shapes are not known. */
export function macsOf(node: Node, graph: Graph): number {
  const dims = (v: Value | undefined): number[] =>
    (v?.type?.kind === 'tensor' ? (v.type.shape ?? []) : []).map((d) =>
      typeof d === 'number' ? d : 1,
    );
  const size = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);
  const [x, w, y] = [dims(node.inputs[0]), dims(node.inputs[1]), dims(node.outputs[0])];
  const batch = batchOf(graph);
  switch (node.op) {
    case 'Conv':
      return (size(y) / batch) * (size(w) / (w[0] || 1));
    case 'ConvTranspose':
      return (size(x) / batch) * (size(w) / (w[0] || 1));
    case 'Gemm': {
      const inner = x[intOf(node, 'transA', 0) === 1 ? 0 : 1] ?? 0;
      return (size(y) / batch) * inner;
    }
    case 'MatMul':
      return (size(y) / batch) * (x.at(-1) ?? 0);
    default:
      return 0;
  }
}

/** First dimension of the first input where it is a fixed batch; 1 else. */
function batchOf(graph: Graph): number {
  const type = graph.inputs.find((v) => !v.constant)?.type;
  const first = type?.kind === 'tensor' && type.shape && type.shape.length > 1 ? type.shape[0] : 1;
  return typeof first === 'number' && first > 0 ? first : 1;
}
