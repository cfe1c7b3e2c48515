/** @file Q/DQ pairs and dequantized constants, as nodes and initializers of a graph. */

import { int } from '../onnx/attributes.ts';
import { type Graph, type Node, shapeKnown, Value } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { bytesOf, Tensor } from '../onnx/tensor.ts';
import { sortNodes } from '../onnx/topological.ts';
import { replaceUses, valuesUsedIn } from '../onnx/uses.ts';
import { makeTensor } from '../onnx/values.ts';
import { quantizeBias } from './bias.ts';
import type { Quantizer } from './scale.ts';
import type { QuantizedWeights, WeightFormat } from './weights.ts';

/** Codes, and what a DequantizeLinear makes of them. */
export interface Constant {
  readonly value: Value;
  readonly dequantized: Value;
}

/** Where the bias of one product is stored, as codes or in float, and in which form. */
export interface StoredBias {
  readonly value: Value;
  /** Other numbers in its place. */
  readonly as: (bias: Float32Array) => Tensor;
}

const equal = (a: Float32Array, b: Float32Array) => a.every((x, i) => x === b[i]);

/** Adds to `graph`; nothing is in order before `finish`. */
export class QdqWriter {
  readonly #graph: Graph;
  readonly #names: Names;
  readonly #constants = new Map<Value, Constant & { readonly scales: Float32Array }>();
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
    return this.#once(`zero_point/${format}/${count}`, () =>
      makeTensor(format, [count], new Uint8Array(count)),
    );
  }

  /** Zero points of activations, each number stored once. */
  #zeroPoint(format: Quantizer['format'], at: number): Value {
    return this.#once(`zero_point/${format}@${at}`, () => makeTensor(format, [], [at]));
  }

  #once(stem: string, make: () => Tensor): Value {
    const value = this.#zeroPoints.get(stem) ?? this.#initializer(stem, make());
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
      name: out.name,
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
  constant(weight: Value, q: QuantizedWeights, dims: readonly number[]): Constant {
    const known = this.#constants.get(weight);
    if (known && equal(known.scales, q.scales)) return known;
    const codes = this.#initializer(
      `${weight.name}/quantized`,
      new Tensor(q.format, dims, bytesOf(q.codes)),
    );
    const scale = this.#initializer(
      `${weight.name}/scale`,
      Tensor.float32([q.scales.length], q.scales),
    );
    const zero = this.#zeros(q.format, q.scales.length);
    const axis = { axis: int(q.axis) };
    const dequantized = this.#dequantize(codes, scale, zero, axis, `${weight.name}/dequantized`);
    const made = { value: codes, dequantized, scales: q.scales };
    this.#constants.set(weight, made);
    return made;
  }

  /** A bias of the node's own as int32, in the scale of its products. */
  codedBias(node: Node, bias: Float32Array, inputScale: number, weights: Float32Array): StoredBias {
    const { name } = node.inputs[2]!;
    const coded = (b: Float32Array) => quantizeBias(b, inputScale, weights);
    const stored = (codes: Int32Array) => new Tensor('int32', [codes.length], bytesOf(codes));
    const { codes, scales } = coded(bias);
    const value = this.#initializer(`${name}/quantized`, stored(codes));
    const scale = this.#initializer(`${name}/scale`, Tensor.float32([scales.length], scales));
    const zero = this.#zeros('int32', scales.length);
    const axis = { axis: int(0) };
    node.inputs[2] = this.#dequantize(value, scale, zero, axis, `${name}/dequantized`);
    return { value, as: (b) => stored(coded(b).codes) };
  }

  /** A bias of the node's own that stays in float. */
  floatBias(node: Node, bias: Float32Array): StoredBias {
    const as = (b: Float32Array) => Tensor.float32([b.length], b);
    const value = this.#initializer(`${node.inputs[2]!.name}/float`, as(bias));
    node.inputs[2] = value;
    return { value, as };
  }

  /** A Q/DQ pair behind `value`, read by all of its readers or by the given nodes alone. */
  activation(
    value: Value,
    { format, scale, zeroPoint }: Quantizer,
    readers: 'all' | ReadonlySet<Node>,
  ): void {
    const s = this.#initializer(`${value.name}/scale`, Tensor.float32([], [scale]));
    const z = this.#zeroPoint(format, zeroPoint);
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
      name: codes.name,
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
