/** @file What becomes of a tensor before anything else reads it: the scalar function that follows it. */

import { floatOf, stringOf } from '../onnx/attributes.ts';
import type { Node, Value } from '../onnx/graph.ts';
import type { GraphIndex } from '../onnx/uses.ts';

type Scalar = (x: number) => number;

const sigmoid: Scalar = (x) => 1 / (1 + Math.exp(-x));
const tanhGelu: Scalar = (x) =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** Op → its function of one number, attributes bound. */
const SCALARS: Readonly<Record<string, (node: Node) => Scalar>> = {
  Sigmoid: () => sigmoid,
  Tanh: () => Math.tanh,
  Relu: () => (x) => Math.max(0, x),
  LeakyRelu: (n) => (x) => (x < 0 ? floatOf(n, 'alpha', 0.01) * x : x),
  Elu: (n) => (x) => (x < 0 ? floatOf(n, 'alpha', 1) * Math.expm1(x) : x),
  Softplus: () => (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  HardSigmoid: (n) => (x) =>
    Math.min(1, Math.max(0, floatOf(n, 'alpha', 0.2) * x + floatOf(n, 'beta', 0.5))),
  HardSwish: () => (x) => x * Math.min(1, Math.max(0, x / 6 + 0.5)),
  Mish: () => (x) => x * Math.tanh(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Swish: (n) => (x) => x * sigmoid(floatOf(n, 'alpha', 1) * x),
  Gelu: (n) => (stringOf(n, 'approximate', 'none') === 'tanh' ? tanhGelu : tanhGelu),
};

export interface Activation {
  readonly apply: Scalar;
  /** The tensor after it. */
  readonly output: Value;
  /** Its op, or two ops for x·f(x) written as a pair. */
  readonly op: string;
}

/**
 * The activation that every use of `value` goes through: one unary op, or x·f(x) as two nodes (SiLU is Mul(x, Sigmoid(x))).
 * Undefined where anything else reads the tensor, or it is a graph output.
 */
export function activationOf(value: Value, index: GraphIndex): Activation | undefined {
  if (index.isOutput(value)) return undefined;
  const readers = [...new Set(index.uses(value).map((u) => u.node))];
  const unary = readers.find(
    (n) => n.inputs.length >= 1 && n.inputs[0] === value && (SCALARS[n.op] || n.op === 'Clip'),
  );
  const made = unary?.outputs[0];
  if (!unary || !made) return undefined;
  const f = unary.op === 'Clip' ? clip(unary) : SCALARS[unary.op]!(unary);
  if (!f) return undefined;
  if (readers.length === 1) return { apply: f, output: made, op: unary.op };
  const gate = readers.find((n) => n !== unary);
  const isGate =
    readers.length === 2 &&
    gate?.op === 'Mul' &&
    gate.inputs.includes(value) &&
    gate.inputs.includes(made);
  if (!isGate || index.uses(made).length !== 1) return undefined;
  return { apply: (x) => x * f(x), output: gate.outputs[0]!, op: `${unary.op}·Mul` };
}

function clip(node: Node): Scalar | undefined {
  const bound = (v: Value | undefined, fallback: number) => {
    if (v === undefined) return fallback;
    const bytes = v.constant?.dtype === 'float32' ? v.constant.bytes : undefined;
    return bytes && new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  };
  const lo = bound(node.inputs[1], Number.NEGATIVE_INFINITY);
  const hi = bound(node.inputs[2], Number.POSITIVE_INFINITY);
  return lo === undefined || hi === undefined ? undefined : (x) => Math.min(hi, Math.max(lo, x));
}
