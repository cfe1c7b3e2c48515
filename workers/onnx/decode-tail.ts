/** @file The decode tail: what lies between a model's last trained layers and its outputs. */

import { tensorOf } from './attributes.ts';
import type { Graph, Node, Value } from './graph.ts';
import type { Tensor } from './tensor.ts';
import { GraphIndex } from './uses.ts';
import { numbersOf } from './values.ts';

export interface DecodeTail {
  /** The first trained layers met on the way back from the outputs, in graph order. */
  readonly layers: readonly Node[];
  /** Everything after them: reshapes, softmax, box arithmetic. */
  readonly nodes: ReadonlySet<Node>;
  /** Ops in the tail. */
  readonly ops: ReadonlySet<string>;
}

/** Where ops that mix channels keep their weight: float, QDQ, QLinear and dynamically quantized forms. */
const WEIGHT_INPUT: Readonly<Record<string, number>> = {
  Conv: 1,
  ConvTranspose: 1,
  Gemm: 1,
  MatMul: 1,
  FusedConv: 1,
  FusedGemm: 1,
  FusedMatMul: 1,
  ConvInteger: 1,
  MatMulInteger: 1,
  DynamicQuantizeMatMul: 1,
  QLinearConv: 3,
  QLinearMatMul: 3,
  QGemm: 3,
};

/** Ops that hand a constant on as it is, or in another number format. */
const SAME_CONSTANT = new Set(['DequantizeLinear', 'QuantizeLinear', 'Cast', 'Identity']);

/**
 * Walk back from `outputs` (default: all of the graph's) through ops without trained weights.
 * Works on models as read: constants may be initializers, Constant nodes or dequantized.
 */
export function findDecodeTail(
  graph: Graph,
  outputs: readonly Value[] = graph.outputs,
  index: GraphIndex = new GraphIndex(graph),
): DecodeTail {
  const layers = new Set<Node>();
  const nodes = new Set<Node>();
  const open: Value[] = [...outputs];
  while (open.length > 0) {
    const value = open.pop()!;
    const node = index.producer(value);
    if (node === undefined || layers.has(node) || nodes.has(node)) continue;
    if (isSideInformation(node, value)) continue;
    const weight = weightOf(node, index);
    if (weight !== undefined && !isRamp(weight)) {
      layers.add(node);
      continue;
    }
    nodes.add(node);
    for (const x of node.inputs) if (x !== undefined) open.push(x);
  }
  return {
    layers: graph.nodes.filter((n) => layers.has(n)),
    nodes,
    ops: new Set([...nodes].map((n) => plainOp(n.op))),
  };
}

/** Values that tell of other values' sizes or ranges, not of what they hold. */
function isSideInformation(node: Node, value: Value): boolean {
  if (node.op === 'DynamicQuantizeLinear') return node.outputs[0] !== value;
  return node.op === 'Shape' || node.op === 'Size';
}

/** The op that a quantized form stands for: QLinearSigmoid → Sigmoid. */
export const plainOp = (op: string): string => op.replace(/^QLinear/, '');

/** The constant weight of a layer, undefined for other nodes and for products of two activations. */
export function weightOf(node: Node, index: GraphIndex): Tensor | undefined {
  const at = WEIGHT_INPUT[node.op];
  if (at === undefined) return undefined;
  const found = constantOf(node.inputs[at], index);
  return found ?? (node.op === 'MatMul' ? constantOf(node.inputs[0], index) : undefined);
}

/** Output channels of a layer: rows of its weight. */
export function outputChannels(node: Node, index: GraphIndex): number | undefined {
  const dims = weightOf(node, index)?.dims;
  if (dims === undefined) return undefined;
  if (/Conv/.test(node.op)) return node.op === 'ConvTranspose' ? dims[1] : dims[0];
  const transposed = node.attributes['transB'];
  return transposed?.type === 'int' && Number(transposed.value) === 1 ? dims[0] : dims.at(-1);
}

function constantOf(value: Value | undefined, index: GraphIndex, depth = 0): Tensor | undefined {
  if (value === undefined || depth > 8) return undefined;
  if (value.constant !== undefined) return value.constant;
  const producer = index.producer(value);
  if (producer === undefined) return undefined;
  if (producer.op === 'Constant') return tensorOf(producer, 'value');
  return SAME_CONSTANT.has(producer.op)
    ? constantOf(producer.inputs[0], index, depth + 1)
    : undefined;
}

/**
 * Whether a weight is the bins 0, 1, … n − 1 that turn a distribution into its mean, in any number format: one
 * output channel whose weights rise evenly. Such a Conv belongs to the decoding, not to the trained part.
 */
function isRamp(weight: Tensor): boolean {
  const n = weight.dims.reduce((a, b) => a * b, 1);
  if (n < 4 || n > 256 || Math.max(...weight.dims) !== n) return false;
  const w = numbersOf(weight);
  const step = (w[n - 1]! - w[0]!) / (n - 1);
  if (step === 0) return false;
  return w.every((v, i) => Math.abs((v - w[0]!) / step - i) < 0.15);
}
