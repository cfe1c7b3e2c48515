/** @file Write quantizers into a graph as QuantizeLinear / DequantizeLinear pairs (QDQ). */

import { intOf } from '../onnx/attributes.ts';
import type { Graph, Node, Value } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { weightIndex } from '../onnx/trained.ts';
import { floatsOf } from '../onnx/values.ts';
import { leastWeightScale } from './bias.ts';
import { biasShift } from './bias-correction.ts';
import type { QuantizedTensor } from './placement.ts';
import { QdqWriter, type StoredBias } from './qdq-writer.ts';
import type { Quantizer } from './scale.ts';
import { type QuantizedWeights, quantizeWeights, type WeightOptions } from './weights.ts';

export interface InsertOptions {
  readonly weights: WeightOptions;
  /** int32 in the scale of the products, or as they are. */
  readonly biases: 'int32' | 'float';
  /** Mean of each channel of a Conv's input, where it is known: what rounding the weights adds on average is taken out of the bias. */
  readonly means?: ReadonlyMap<Value, Float64Array>;
  /** Weights that were quantized before with the same options: filled as it goes. */
  readonly cache?: Map<Tensor, QuantizedWeights>;
}

export interface Inserted {
  /** Channels whose scale was raised so that their bias fits int32: tensor → channels. */
  readonly raisedChannels: Readonly<Record<string, readonly number[]>>;
  /** Biases of the products, corrected where that is known: what their values hold may be replaced. */
  readonly biases: readonly PlacedBias[];
  readonly weights: readonly PlacedWeights[];
}

/** Where the codes of one product's weights went. */
export interface PlacedWeights {
  readonly node: Node;
  /** Names in the float model of what the product reads and of its result. */
  readonly input: string;
  readonly output: string;
  /** Index of the weight among the node's inputs. */
  readonly at: number;
  /** The codes: what they hold may be replaced. */
  readonly value: Value;
  readonly quantized: QuantizedWeights;
  readonly float: Tensor;
  readonly bias: Float32Array | undefined;
}

/** The bias of one product. */
export interface PlacedBias extends StoredBias {
  /** Name in the float model of the product's result. */
  readonly output: string;
  readonly plain: Float32Array;
  /** Without what rounding the weights adds on average; undefined where the means of its input are not known. */
  readonly corrected: Float32Array | undefined;
}

/**
 * Quantize the weights and biases of `products` and put a Q/DQ pair on each of `tensors`. Needs opset 13 (per-axis
 * DequantizeLinear); 21 for 16-bit formats. Tensors that survive keep their names.
 */
export function insertQdq(
  graph: Graph,
  products: readonly Node[],
  tensors: readonly QuantizedTensor[],
  quantizers: ReadonlyMap<Value, Quantizer>,
  options: InsertOptions,
): Inserted {
  const writer = new QdqWriter(graph);
  const raised: Record<string, number[]> = {};
  const made = products.map((node) => quantizeProduct(writer, node, quantizers, options, raised));
  for (const { value, readers } of tensors)
    writer.activation(value, quantizers.get(value)!, readers);
  writer.finish();
  return {
    raisedChannels: raised,
    biases: made.flatMap(({ bias }) => bias ?? []),
    weights: made.map(({ weights }) => weights),
  };
}

interface Product {
  readonly weights: PlacedWeights;
  readonly bias?: PlacedBias;
}

function quantizeProduct(
  writer: QdqWriter,
  node: Node,
  quantizers: ReadonlyMap<Value, Quantizer>,
  options: InsertOptions,
  raised: Record<string, number[]>,
): Product {
  const at = weightIndex(node)!;
  const weight = node.inputs[at]!;
  const x = node.inputs[at === 0 ? 1 : 0]!;
  const inputScale = quantizers.get(x)?.scale ?? 1;
  const float = weight.constant!;
  const axis = outputAxis(node, at, float.dims.length);
  const bias = constantBias(node, float.dims[axis]!);
  let quantized = quantizeOnce(float, axis, options);
  // Float biases as well: onnxruntime turns them into int32 by itself, and does not look whether they fit.
  if (bias) {
    const low = [...bias.keys()].filter(
      (c) => quantized.scales[c]! < leastWeightScale(bias[c]!, inputScale),
    );
    if (low.length > 0) {
      raised[weight.name] = low;
      quantized = raiseScales(quantized, floatsOf(float), float.dims, bias, inputScale);
    }
  }
  const { value, dequantized } = writer.constant(weight, quantized, float.dims);
  node.inputs[at] = dequantized;
  const names = { input: x.name, output: node.outputs[0]!.name };
  const weights = { node, ...names, at, value, quantized, float, bias };
  if (!bias) return { weights };
  return {
    weights,
    bias: placeBias(writer, weights, bias, inputScale, options.means?.get(x), options),
  };
}

function quantizeOnce(
  float: Tensor,
  axis: number,
  { weights, cache }: InsertOptions,
): QuantizedWeights {
  const known = cache?.get(float);
  if (known?.axis === axis) return known;
  const made = quantizeWeights(floatsOf(float), float.dims, axis, weights);
  cache?.set(float, made);
  return made;
}

/** One number per output, where the node has such a bias. */
function constantBias(node: Node, outputs: number): Float32Array | undefined {
  const bias = node.op === 'MatMul' ? undefined : node.inputs[2]?.constant;
  return bias?.size === outputs ? floatsOf(bias) : undefined;
}

function placeBias(
  writer: QdqWriter,
  { node, output, quantized, float }: PlacedWeights,
  plain: Float32Array,
  inputScale: number,
  mean: Float64Array | undefined,
  { biases }: InsertOptions,
): PlacedBias {
  const corrected =
    mean && correctedBias(node, plain, floatsOf(float), float.dims, quantized, mean);
  const bias = corrected ?? plain;
  const stored =
    biases === 'float'
      ? writer.floatBias(node, bias)
      : writer.codedBias(node, bias, inputScale, quantized.scales);
  return { output, plain, corrected, ...stored };
}

/** Undefined where the mean of each input channel does not tell: other ops, other layouts. */
function correctedBias(
  node: Node,
  bias: Float32Array,
  weight: Float32Array,
  dims: readonly number[],
  { codes, scales }: QuantizedWeights,
  mean: Float64Array,
): Float32Array | undefined {
  const group = intOf(node, 'group', 1);
  if (node.op !== 'Conv' || mean.length !== dims[1]! * group) return undefined;
  const perChannel = weight.length / scales.length;
  const rounded = Float64Array.from(codes, (q, i) => q * scales[Math.floor(i / perChannel)]!);
  const shift = biasShift(weight, rounded, dims, mean, group);
  return bias.map((b, c) => b - shift[c]!);
}

/** Requantize with scales no smaller than each channel's bias allows. */
function raiseScales(
  q: QuantizedWeights,
  data: Float32Array,
  dims: readonly number[],
  bias: Float32Array,
  inputScale: number,
): QuantizedWeights {
  const scales = q.scales.map((s, c) => Math.max(s, leastWeightScale(bias[c]!, inputScale)));
  const inner = dims.slice(q.axis + 1).reduce((n, d) => n * d, 1);
  const codes = q.codes.map((code, i) => {
    const c = Math.floor(i / inner) % dims[q.axis]!;
    return scales[c] === q.scales[c] ? code : Math.round(data[i]! / scales[c]!);
  }) as Int8Array | Int16Array;
  return { ...q, scales, codes };
}

/** The axis of a weight along which outputs lie. */
function outputAxis(node: Node, at: number, rank: number): number {
  if (node.op === 'Conv') return 0;
  if (node.op === 'ConvTranspose') return 1;
  if (node.op === 'Gemm') {
    if (at === 0) return intOf(node, 'transA', 0) === 1 ? 1 : 0;
    return intOf(node, 'transB', 0) === 1 ? 0 : 1;
  }
  return at === 0 ? rank - 2 : rank - 1;
}
