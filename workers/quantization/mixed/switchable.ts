/** @file A float model in which every tensor can be rounded or left alone, as its inputs say: one session for any subset. */

import { cloneModel } from '../../onnx/clone.ts';
import { type Graph, type Model, type Node, shapeKnown, Value } from '../../onnx/graph.ts';
import { Names } from '../../onnx/names.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { sortNodes } from '../../onnx/topological.ts';
import { replaceUses } from '../../onnx/uses.ts';
import type { Feed } from '../../runtime/session.ts';
import { FORMATS, type Format } from '../formats.ts';
import type { PlacedWeights } from '../insert-qdq.ts';
import type { QuantizedTensor } from '../placement.ts';
import type { Quantizer } from '../scale.ts';

/** One thing that can be rounded: a tensor, or the weights of a product. */
export interface Site {
  /** Name in the float model: of the tensor, or of what the product makes. */
  readonly tensor: string;
  readonly kind: 'activation' | 'weights';
}

export interface Switchable {
  readonly model: Model;
  readonly sites: readonly Site[];
  /** Feeds that round the sites in `on` and no others. */
  feeds(on: ReadonlySet<Site>): Record<string, Feed>;
}

/**
 * Every quantized tensor x becomes Where(switch, dequantize(quantize(x, scale, zero point)), x), its switch, scale and zero
 * point inputs of the graph; every weight Where(switch, rounded, weight).
 *
 * @param float the model before quantization, its nodes among the readers of `tensors`
 * @param tensors @param weights where its quantized form rounds
 */
export function switchable(
  float: Model,
  tensors: readonly QuantizedTensor[],
  quantizers: ReadonlyMap<string, Quantizer>,
  weights: readonly PlacedWeights[],
): Switchable {
  const model = cloneModel(float);
  const writer = new SwitchWriter(model.graph);
  for (const tensor of tensors)
    writer.activation(tensor, float.graph, quantizers.get(tensor.value.name)!);
  for (const placed of weights) writer.weights(placed);
  writer.finish();
  const { switches, fixed } = writer;
  return {
    model,
    sites: [...switches.keys()],
    feeds: (on) => ({
      ...fixed,
      ...Object.fromEntries([...switches].map(([site, name]) => [name, flag(on.has(site))])),
    }),
  };
}

const flag = (on: boolean): Feed => ({ dims: [], dtype: 'bool', data: Uint8Array.of(on ? 1 : 0) });

class SwitchWriter {
  /** Site → the name of its switch. */
  readonly switches = new Map<Site, string>();
  /** Scales and zero points. */
  readonly fixed: Record<string, Feed> = {};
  readonly #graph: Graph;
  readonly #names: Names;
  readonly #values: ReadonlyMap<string, Value>;
  readonly #makers: ReadonlyMap<string, Node>;
  readonly #added: Node[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#names = new Names(graph);
    const made = graph.nodes.flatMap((n) => n.outputs.map((y) => [y, n] as const));
    this.#makers = new Map(made.flatMap(([y, n]) => (y ? [[y.name, n]] : [])));
    const values = [...graph.inputs, ...made.flatMap(([y]) => (y ? [y] : []))];
    this.#values = new Map(values.map((v) => [v.name, v]));
  }

  activation({ value, readers }: QuantizedTensor, float: Graph, quantizer: Quantizer): void {
    const { name } = value;
    const x = this.#values.get(name)!;
    const { format, scale, zeroPoint } = quantizer;
    const s = this.#input(`${name}/scale`, 'float32', Float32Array.of(scale));
    const z = this.#input(`${name}/zero_point`, format, codesOf(format, zeroPoint));
    const codes = this.#node('QuantizeLinear', [x, s, z], `${name}/codes`, format, shapeKnown(x));
    const rounded = this.#node('DequantizeLinear', [codes, s, z], `${name}/rounded`, 'float32');
    const places = readers === 'all' ? undefined : placesOf(readers, float);
    const chosen = this.#switch({ tensor: name, kind: 'activation' }, rounded, x);
    if (places === undefined) this.#replaceAll(x, chosen);
    else for (const at of places) replaceIn(this.#graph.nodes[at]!, x, chosen);
  }

  weights({ output, at, float, quantized }: PlacedWeights): void {
    const node = this.#makers.get(output)!;
    const weight = node.inputs[at]!;
    const { dims } = float;
    const rounded = new Value(
      this.#names.fresh(`${output}/weights/rounded`),
      { kind: 'tensor', dtype: 'float32', shape: dims },
      Tensor.float32(dims, dequantized(quantized, dims)),
    );
    this.#graph.initializers.push(rounded);
    node.inputs[at] = this.#switch({ tensor: output, kind: 'weights' }, rounded, weight);
  }

  #input(stem: string, dtype: Format | 'float32' | 'bool', data: Feed['data']): Value {
    const value = new Value(this.#names.fresh(stem), { kind: 'tensor', dtype, shape: [] });
    this.#graph.inputs.push(value);
    this.fixed[value.name] = { dims: [], dtype, data };
    return value;
  }

  #switch(site: Site, rounded: Value, plain: Value): Value {
    const on = this.#input(`${rounded.name}/switch`, 'bool', Uint8Array.of(0));
    this.switches.set(site, on.name);
    return this.#node('Where', [on, rounded, plain], `${rounded.name}/chosen`, 'float32');
  }

  #node(
    op: string,
    inputs: Value[],
    stem: string,
    dtype: Format | 'float32',
    shape: ReturnType<typeof shapeKnown> = shapeKnown(inputs.at(-1)),
  ): Value {
    const out = new Value(this.#names.fresh(stem), { kind: 'tensor', dtype, shape });
    const name = this.#names.fresh(`${stem}/${op}`);
    this.#added.push({ name, op, domain: '', inputs, outputs: [out], attributes: {} });
    return out;
  }

  /** Nodes written here read the tensor as it is. A graph output keeps its name: what made it gets another. */
  #replaceAll(x: Value, chosen: Value): void {
    const isOutput = this.#graph.outputs.includes(x);
    replaceUses(this.#graph, x, chosen);
    if (!isOutput) return;
    const { name } = x;
    x.name = this.#names.fresh(`${name}/float`);
    chosen.name = name;
  }

  finish(): void {
    this.#graph.nodes.push(...this.#added);
    sortNodes(this.#graph);
  }
}

const placesOf = (readers: ReadonlySet<Node>, { nodes }: Graph): number[] =>
  [...nodes.entries()].flatMap(([i, node]) => (readers.has(node) ? [i] : []));

function replaceIn(node: Node, from: Value, to: Value): void {
  node.inputs = node.inputs.map((v) => (v === from ? to : v));
}

function codesOf(format: Format, code: number): Feed['data'] {
  const { min, max } = FORMATS[format];
  if (max - min > 255) return min < 0 ? Int16Array.of(code) : Uint16Array.of(code);
  return min < 0 ? Int8Array.of(code) : Uint8Array.of(code);
}

/** What the codes of one scale per channel stand for. */
export function dequantized(
  { codes, scales, axis }: PlacedWeights['quantized'],
  dims: readonly number[],
): Float32Array {
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const count = scales.length;
  return Float32Array.from(codes, (q, i) => q * scales[Math.floor(i / inner) % count]!);
}
