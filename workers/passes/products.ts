/** @file Scales and shifts moved into the weights of the product beside them. All arithmetic in double. */

import { floatOf, intOf, intsOf, stringOf } from '../onnx/attributes.ts';
import { type Graph, type Node, Value } from '../onnx/graph.ts';
import type { Names } from '../onnx/names.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { GraphIndex } from '../onnx/uses.ts';
import { floatsOf } from '../onnx/values.ts';

/** x ↦ scale·x + shift, one entry per channel. */
export interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

const PRODUCTS = new Set(['Conv', 'ConvTranspose', 'Gemm']);

/** A Conv, ConvTranspose or plain Gemm whose weight and bias are float32 constants. */
export function isFoldable(node: Node | undefined): node is Node {
  if (node?.domain !== '' || !PRODUCTS.has(node.op)) return false;
  const [, weight, bias] = node.inputs;
  if (weight?.constant?.dtype !== 'float32') return false;
  if (bias && (bias.constant?.dtype !== 'float32' || biasOf(node) === undefined)) return false;
  return node.op !== 'Gemm' || (floatOf(node, 'alpha', 1) === 1 && floatOf(node, 'beta', 1) === 1);
}

/** Channels that the product makes. */
export function outputChannels(product: Node): number {
  const { dims } = product.inputs[1]!.constant!;
  if (product.op === 'Conv') return dims[0]!;
  if (product.op === 'ConvTranspose') return dims[1]! * intOf(product, 'group', 1);
  return intOf(product, 'transB', 0) === 1 ? dims[0]! : dims[1]!;
}

/** One entry per output channel; undefined: a bias of another form. */
function biasOf(product: Node): Float64Array | undefined {
  const channels = outputChannels(product);
  const bias = product.inputs[2]?.constant;
  if (!bias) return new Float64Array(channels);
  const values = floatsOf(bias);
  if (values.length === 1) return new Float64Array(channels).fill(values[0]!);
  return values.length === channels && bias.dims.at(-1) === channels
    ? Float64Array.from(values)
    : undefined;
}

/** scale·(Wx + b) + shift = (scale·W)x + (scale·b + shift), per output channel. */
export function scaleOutputs(graph: Graph, product: Node, affine: Affine, to: Rewriting): void {
  const { scale, shift } = affine;
  const weight = product.inputs[1]!.constant!;
  const channelOf = outputChannelOf(product);
  const old = biasOf(product)!;
  const scaled = floatsOf(weight).map((w, i) => w * scale[channelOf(i)]!);
  const shifted = Float32Array.from(old, (b, c) => b * scale[c]! + shift[c]!);
  setParameter(graph, product, 1, Tensor.float32(weight.dims, scaled), to);
  if (product.inputs[2] || shifted.some((b) => b !== 0))
    setParameter(graph, product, 2, Tensor.float32([shifted.length], shifted), to);
}

/**
 * W(scale·x + shift) + b = (W·scale)x + (b + W·shift), per input channel. Exact where the product does not pad:
 * padding would be scaled and shifted too.
 */
export function scaleInputs(graph: Graph, product: Node, affine: Affine, to: Rewriting): void {
  const { scale, shift } = affine;
  const weight = product.inputs[1]!.constant!;
  const [inputOf, outputOf] = [inputChannelOf(product), outputChannelOf(product)];
  const bias = biasOf(product)!;
  const scaled = floatsOf(weight).map((w, i) => {
    bias[outputOf(i)]! += w * shift[inputOf(i)]!;
    return w * scale[inputOf(i)]!;
  });
  setParameter(graph, product, 1, Tensor.float32(weight.dims, scaled), to);
  setParameter(graph, product, 2, Tensor.float32([bias.length], Float32Array.from(bias)), to);
}

/** Whether a Conv or Gemm reads nothing but its input's own elements. */
export function isUnpadded(product: Node): boolean {
  if (product.op === 'Gemm') return intOf(product, 'transA', 0) === 0;
  const mode = stringOf(product, 'auto_pad', 'NOTSET');
  const pads = intsOf(product, 'pads', []);
  return (
    product.op === 'Conv' && (mode === 'VALID' || (mode === 'NOTSET' && pads.every((p) => p === 0)))
  );
}

const size = (dims: readonly number[]) => dims.reduce((n, d) => n * d, 1);

/** Index of a weight element → its output channel. Conv [M, C/g, …], ConvTranspose [C, M/g, …], Gemm [K, N] or [N, K]. */
function outputChannelOf(product: Node): (i: number) => number {
  const { dims } = product.inputs[1]!.constant!;
  const inner = size(dims.slice(1));
  if (product.op === 'Conv') return (i) => Math.floor(i / inner);
  if (product.op === 'Gemm')
    return intOf(product, 'transB', 0) === 1 ? (i) => Math.floor(i / inner) : (i) => i % dims[1]!;
  const taps = size(dims.slice(2));
  const perGroup = dims[0]! / intOf(product, 'group', 1);
  return (i) =>
    Math.floor(Math.floor(i / inner) / perGroup) * dims[1]! + (Math.floor(i / taps) % dims[1]!);
}

/** Index of a weight element of a Conv or Gemm → its input channel. */
function inputChannelOf(product: Node): (i: number) => number {
  const { dims } = product.inputs[1]!.constant!;
  if (product.op === 'Gemm')
    return intOf(product, 'transB', 0) === 1
      ? (i) => i % dims[1]!
      : (i) => Math.floor(i / dims[1]!);
  const [inner, taps] = [size(dims.slice(1)), size(dims.slice(2))];
  const perGroup = dims[0]! / intOf(product, 'group', 1);
  return (i) =>
    Math.floor(Math.floor(i / inner) / perGroup) * dims[1]! + (Math.floor(i / taps) % dims[1]!);
}

export interface Rewriting {
  readonly names: Names;
  readonly index: GraphIndex;
}

/** The constant keeps its name where nobody else reads it; else a new one takes its place here. */
function setParameter(graph: Graph, product: Node, at: 1 | 2, tensor: Tensor, to: Rewriting): void {
  const type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims } as const;
  const old = product.inputs[at];
  if (old && to.index.uses(old).length === 1 && !to.index.isOutput(old)) {
    old.constant = tensor;
    old.type = type;
    return;
  }
  const stem = old ? `${old.name}/folded` : `${product.inputs[1]!.name}/bias`;
  const value = new Value(to.names.fresh(stem), type, tensor);
  graph.initializers.push(value);
  product.inputs[at] = value;
}
