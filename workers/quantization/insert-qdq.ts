/** @file Write quantizers into a graph as QuantizeLinear / DequantizeLinear pairs (QDQ). */

import { int, intOf } from '../onnx/attributes.ts';
import { type Graph, type Node, shapeKnown, Value } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { bytesOf, Tensor } from '../onnx/tensor.ts';
import { sortNodes } from '../onnx/topological.ts';
import { weightIndex } from '../onnx/trained.ts';
import { replaceUses, valuesUsedIn } from '../onnx/uses.ts';
import { floatsOf, makeTensor } from '../onnx/values.ts';
import { leastWeightScale, quantizeBias } from './bias.ts';
import { biasShift } from './bias-correction.ts';
import type { QuantizedTensor } from './placement.ts';
import type { Quantizer } from './scale.ts';
import {
  type QuantizedWeights,
  quantizeWeights,
  type WeightFormat,
  type WeightOptions,
} from './weights.ts';

export interface InsertOptions {
  readonly weights: WeightOptions;
  /** Mean of each channel of a Conv's input, where it is known: what rounding the weights adds on average is taken out of the bias. */
  readonly means?: ReadonlyMap<Value, Float64Array>;
}

export interface Inserted {
  /** Channels whose scale was raised so that their bias fits int32: tensor → channels. */
  readonly raisedChannels: Readonly<Record<string, readonly number[]>>;
  /** Biases that were corrected, with what they were before. */
  readonly biases: readonly BiasChoice[];
}

/** The codes of one bias, with and without what rounding the weights adds on average. `value` holds the corrected ones. */
export interface BiasChoice {
  readonly value: Value;
  readonly plain: Tensor;
  readonly corrected: Tensor;
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
  const writer = new Writer(graph);
  const raised: Record<string, number[]> = {};
  const biases = products.flatMap(
    (node) => quantizeProduct(writer, node, quantizers, options, raised) ?? [],
  );
  for (const { value, readers } of tensors)
    writer.activation(value, quantizers.get(value)!, readers);
  writer.finish();
  return { raisedChannels: raised, biases };
}

function quantizeProduct(
  writer: Writer,
  node: Node,
  quantizers: ReadonlyMap<Value, Quantizer>,
  options: InsertOptions,
  raised: Record<string, number[]>,
): BiasChoice | undefined {
  const at = weightIndex(node)!;
  const weight = node.inputs[at]!;
  const x = node.inputs[at === 0 ? 1 : 0]!;
  const inputScale = quantizers.get(x)?.scale ?? 1;
  const tensor = weight.constant!;
  const axis = outputAxis(node, at, tensor.dims.length);
  const data = floatsOf(tensor);
  const bias = node.op === 'MatMul' ? undefined : node.inputs[2];
  const biasData =
    bias?.constant && bias.constant.size === tensor.dims[axis]
      ? floatsOf(bias.constant)
      : undefined;
  let quantized = quantizeWeights(data, tensor.dims, axis, options.weights);
  if (biasData) {
    const low = [...biasData.keys()].filter(
      (c) => quantized.scales[c]! < leastWeightScale(biasData[c]!, inputScale),
    );
    if (low.length > 0) {
      raised[weight.name] = low;
      quantized = raiseScales(quantized, data, tensor.dims, biasData, inputScale);
    }
  }
  node.inputs[at] = writer.constant(weight, quantized, tensor.dims);
  if (!biasData) return undefined;
  const plain = quantizeBias(biasData, inputScale, quantized.scales);
  const mean = options.means?.get(x);
  const corrected = mean && correctedBias(node, biasData, data, tensor.dims, quantized, mean);
  const codes = corrected ? quantizeBias(corrected, inputScale, quantized.scales) : plain;
  const { value, dequantized } = writer.bias(bias!, codes);
  node.inputs[2] = dequantized;
  return corrected && { value, plain: biasTensor(plain.codes), corrected: biasTensor(codes.codes) };
}

const biasTensor = (codes: Int32Array) => new Tensor('int32', [codes.length], bytesOf(codes));

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

const equal = (a: Float32Array, b: Float32Array) => a.every((x, i) => x === b[i]);

class Writer {
  readonly #graph: Graph;
  readonly #names: Names;
  readonly #constants = new Map<Value, { readonly scales: Float32Array; readonly out: Value }>();
  readonly #zeroPoints = new Map<string, Value>();
  readonly #added: Node[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#names = new Names(graph);
  }

  #initializer(stem: string, tensor: Tensor): Value {
    const value = new Value(
      this.#names.fresh(stem),
      { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims },
      tensor,
    );
    this.#graph.initializers.push(value);
    return value;
  }

  /** Zero points of symmetric formats, stored once for each length. */
  #zeros(format: WeightFormat | 'int32', count: number): Value {
    const stem = `zero_point/${format}/${count}`;
    const value =
      this.#zeroPoints.get(stem) ??
      this.#initializer(stem, makeTensor(format, [count], new Uint8Array(count)));
    this.#zeroPoints.set(stem, value);
    return value;
  }

  #dequantize(
    source: Value,
    scale: Value,
    zero: Value,
    attributes: Node['attributes'],
    stem: string,
  ): Value {
    const out = new Value(this.#names.fresh(stem), {
      kind: 'tensor',
      dtype: 'float32',
      shape: shapeKnown(source),
    });
    this.#added.push({
      name: this.#names.fresh(`${stem}/DequantizeLinear`),
      op: 'DequantizeLinear',
      domain: '',
      inputs: [source, scale, zero],
      outputs: [out],
      attributes,
    });
    return out;
  }

  /**
   * Weights stored as integers, read through a DequantizeLinear per channel. A weight that two nodes share is stored once,
   * unless one of them raised a scale for its bias.
   */
  constant(weight: Value, q: QuantizedWeights, dims: readonly number[]): Value {
    const known = this.#constants.get(weight);
    if (known && equal(known.scales, q.scales)) return known.out;
    const codes = this.#initializer(
      `${weight.name}/quantized`,
      new Tensor(q.format, dims, bytesOf(q.codes)),
    );
    const scale = this.#initializer(
      `${weight.name}/scale`,
      Tensor.float32([q.scales.length], q.scales),
    );
    const zero = this.#zeros(q.format, q.scales.length);
    const out = this.#dequantize(
      codes,
      scale,
      zero,
      { axis: int(q.axis) },
      `${weight.name}/dequantized`,
    );
    this.#constants.set(weight, { scales: q.scales, out });
    return out;
  }

  bias(
    bias: Value,
    q: { codes: Int32Array; scales: Float32Array },
  ): { value: Value; dequantized: Value } {
    const codes = this.#initializer(`${bias.name}/quantized`, biasTensor(q.codes));
    const scale = this.#initializer(
      `${bias.name}/scale`,
      Tensor.float32([q.scales.length], q.scales),
    );
    const zero = this.#zeros('int32', q.scales.length);
    const stem = `${bias.name}/dequantized`;
    return {
      value: codes,
      dequantized: this.#dequantize(codes, scale, zero, { axis: int(0) }, stem),
    };
  }

  /** A Q/DQ pair behind `value`, read by all of its readers or by the given nodes alone. */
  activation(
    value: Value,
    { format, scale, zeroPoint }: Quantizer,
    readers: 'all' | ReadonlySet<Node>,
  ): void {
    const s = this.#initializer(`${value.name}/scale`, Tensor.float32([], [scale]));
    const z = this.#initializer(`${value.name}/zero_point`, makeTensor(format, [], [zeroPoint]));
    const shape = shapeKnown(value);
    const codes = new Value(this.#names.fresh(`${value.name}/quantized`), {
      kind: 'tensor',
      dtype: format,
      shape,
    });
    const out = this.#dequantize(codes, s, z, {}, `${value.name}/dequantized`);
    if (readers !== 'all')
      for (const node of readers) node.inputs = node.inputs.map((v) => (v === value ? out : v));
    else if (this.#graph.outputs.includes(value)) this.#renameOutput(value, out);
    else replaceUses(this.#graph, value, out);
    this.#added.push({
      name: this.#names.fresh(`${value.name}/QuantizeLinear`),
      op: 'QuantizeLinear',
      domain: '',
      inputs: [value, s, z],
      outputs: [codes],
      attributes: {},
    });
  }

  /** A graph output keeps its name: what made it gets another. */
  #renameOutput(value: Value, out: Value): void {
    const name = value.name;
    replaceUses(this.#graph, value, out);
    value.name = this.#names.fresh(`${name}/float`);
    out.name = name;
    out.type = value.type;
  }

  finish(): void {
    this.#graph.nodes.push(...this.#added);
    sortNodes(this.#graph);
    const used = valuesUsedIn(this.#graph);
    this.#graph.initializers = this.#graph.initializers.filter(
      (v) => used.has(v) || this.#graph.inputs.includes(v),
    );
  }
}
