import { floatOf, intOf } from '../onnx/attributes.ts';
import { type Graph, type Model, type Node, Value } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { Tensor } from '../onnx/tensor.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { floatsOf } from '../onnx/values.ts';
import { bypassAfter } from './bypass-after.ts';
import type { Pass } from './pass.ts';

/** Axis of the weight along which output channels lie, with groups taken apart for ConvTranspose. */
const FOLDS = new Set(['Conv', 'ConvTranspose', 'Gemm']);

/**
 * BatchNormalization behind a product is one more scale per channel:
 *
 *     γ·(Wx + b − μ)/√(σ² + ε) + β  =  (a·W)x + (b − μ)·a + β,   a = γ/√(σ² + ε)
 *
 * computed in double. The product must feed nothing else, and all parameters be constants.
 * Source: https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
 */
export const foldBatchNorm: Pass = {
  summary: 'fold BatchNormalization into the Conv, ConvTranspose or Gemm before it',
  run({ graph }: Model) {
    const names = new Names(graph);
    let folded = 0;
    for (const norm of graph.nodes.filter(
      (n) => n.op === 'BatchNormalization' && n.domain === '',
    )) {
      if (fold(graph, norm, names)) folded++;
    }
    return folded;
  },
};

function fold(graph: Graph, norm: Node, names: Names): boolean {
  const index = new GraphIndex(graph);
  const product = index.producer(norm.inputs[0]!);
  if (!product || !FOLDS.has(product.op) || product.domain !== '') return false;
  if (index.uses(norm.inputs[0]!).length !== 1 || index.isOutput(norm.inputs[0]!)) return false;
  if (intOf(norm, 'training_mode', 0) === 1 || norm.outputs.slice(1).some((y) => y)) return false;
  const weight = product.inputs[1]?.constant;
  const parameters = norm.inputs.slice(1, 5).map((v) => v?.constant);
  const bias = product.inputs[2];
  if (
    weight?.dtype !== 'float32' ||
    parameters.some((t) => t?.dtype !== 'float32') ||
    (bias && bias.constant?.dtype !== 'float32')
  )
    return false;
  if (
    product.op === 'Gemm' &&
    (floatOf(product, 'alpha', 1) !== 1 || floatOf(product, 'beta', 1) !== 1)
  )
    return false;

  const [gamma, beta, mean, variance] = parameters.map((t) => floatsOf(t!)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const epsilon = floatOf(norm, 'epsilon', 1e-5);
  const a = Float64Array.from(gamma, (g, c) => g / Math.sqrt(variance[c]! + epsilon));
  const channelOf = channels(product, weight.dims);
  const old = bias?.constant ? floatsOf(bias.constant) : undefined;
  if (old && old.length !== a.length && old.length !== 1) return false;

  const scaled = floatsOf(weight).map((w, i) => w * a[channelOf(i)]!);
  const shifted = Float32Array.from(
    a,
    (s, c) => ((old ? old[old.length === 1 ? 0 : c]! : 0) - mean[c]!) * s + beta[c]!,
  );
  product.inputs[1] = rename(
    graph,
    names,
    product.inputs[1]!,
    Tensor.float32(weight.dims, scaled),
    index,
  );
  product.inputs[2] = bias
    ? rename(graph, names, bias, Tensor.float32([shifted.length], shifted), index)
    : add(
        graph,
        names.fresh(`${product.inputs[1].name}/bias`),
        Tensor.float32([shifted.length], shifted),
      );
  bypassAfter(graph, product, norm);
  return true;
}

/** Index of a weight element → its output channel. */
function channels(product: Node, dims: readonly number[]): (i: number) => number {
  const inner = dims.slice(1).reduce((n, d) => n * d, 1);
  if (product.op === 'Conv') return (i) => Math.floor(i / inner);
  if (product.op === 'Gemm')
    return intOf(product, 'transB', 0) === 1 ? (i) => Math.floor(i / inner) : (i) => i % dims[1]!;
  const taps = dims.slice(2).reduce((n, d) => n * d, 1);
  const perGroup = dims[0]! / intOf(product, 'group', 1);
  return (i) =>
    Math.floor(Math.floor(i / inner) / perGroup) * dims[1]! + (Math.floor(i / taps) % dims[1]!);
}

/** The constant under its own name where nobody else reads it, else a new one beside it. */
function rename(
  graph: Graph,
  names: Names,
  value: Value,
  tensor: Tensor,
  index: GraphIndex,
): Value {
  if (index.uses(value).length > 1) return add(graph, names.fresh(`${value.name}/folded`), tensor);
  value.constant = tensor;
  value.type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims };
  return value;
}

function add(graph: Graph, name: string, tensor: Tensor): Value {
  const value = new Value(
    name,
    { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims },
    tensor,
  );
  graph.initializers.push(value);
  return value;
}
