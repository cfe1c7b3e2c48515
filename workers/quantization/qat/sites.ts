/** @file Where a quantized graph rounds: weights, biases and activations, read from its Q/DQ pairs. */

import { intOf } from '../../onnx/attributes.ts';
import type { Graph, Model, Node, Value } from '../../onnx/graph.ts';
import { axisOf } from '../../onnx/static-shapes.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { numbersOf } from '../../onnx/values.ts';
import { FORMATS, type Format } from '../formats.ts';
import { type Grid, gridOf, reduced } from './grid.ts';

/** A constant of the quantized graph: codes in a scale, or numbers in float (no scale). */
export interface StoredBias {
  readonly value: Value;
  readonly scale: Value | undefined;
}

export interface WeightSite {
  /** First output of the product, by its name in the float model. */
  readonly product: string;
  /** Index of the weight among the product's inputs. */
  readonly at: number;
  readonly axis: number;
  readonly grid: Grid;
  readonly codes: Value;
  /** One per channel. */
  readonly scale: Value;
  readonly bias: StoredBias | undefined;
  /** Scale of what the weight is multiplied with. */
  readonly inputScale: Value | undefined;
}

export interface ActivationSite {
  /** The tensor that is rounded, by its name in the float model. */
  readonly tensor: string;
  /** Who reads it rounded, by the first output: the others read it as it is. */
  readonly readers: 'all' | ReadonlySet<string>;
  readonly grid: Grid;
  readonly scale: Value;
  /** What the quantized graph makes of it. */
  readonly rounded: Value;
  /** Sites of one name have one scale, and keep one. */
  readonly tie: string;
}

export interface Sites {
  readonly weights: readonly WeightSite[];
  readonly activations: readonly ActivationSite[];
}

export interface SiteOptions {
  /** Ops whose tensors have one scale together. */
  readonly shares: readonly string[];
  /** Whether int8 weights keep to 7 bits. */
  readonly reduceRange: boolean;
}

/** @param model as quantization wrote it: its own values are named, and may be filled anew */
export function sitesOf({ graph }: Model, { shares, reduceRange }: SiteOptions): Sites {
  const reader = new Reader(graph);
  const quantizers = graph.nodes.filter(
    (n) => n.op === 'QuantizeLinear' && n.inputs[1]?.constant && !n.inputs[0]!.constant,
  );
  return {
    weights: graph.nodes.flatMap((node) => {
      const site = reader.weight(node);
      return site ? [reduceRange ? { ...site, grid: reduced(site.grid) } : site] : [];
    }),
    activations: tied(
      graph,
      shares,
      quantizers.map((node) => reader.activation(node)),
    ),
  };
}

const PRODUCTS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

class Reader {
  readonly #index: GraphIndex;
  /** A graph output that is rounded kept its name for the rounded tensor. */
  readonly #floatNames = new Map<Value, string>();

  constructor(graph: Graph) {
    this.#index = new GraphIndex(graph);
    for (const node of graph.nodes) {
      if (node.op !== 'QuantizeLinear') continue;
      const output = this.#dequantized(node).find((v) => graph.outputs.includes(v));
      if (output) this.#floatNames.set(node.inputs[0]!, output.name);
    }
  }

  #nameOf = (value: Value): string => this.#floatNames.get(value) ?? value.name;

  #dequantized(quantize: Node): Value[] {
    return this.#index.uses(quantize.outputs[0]!).map((use) => use.node.outputs[0]!);
  }

  /** What dequantizes a constant into `value`. */
  #constant(value: Value | undefined): Node | undefined {
    const node = value && this.#index.producer(value);
    return node?.op === 'DequantizeLinear' && node.inputs[0]!.constant ? node : undefined;
  }

  weight(node: Node): WeightSite | undefined {
    if (!PRODUCTS.has(node.op)) return undefined;
    const at = [1, 0].find((i) => this.#constant(node.inputs[i]));
    if (at === undefined) return undefined;
    const [codes, scale] = this.#constant(node.inputs[at])!.inputs as [Value, Value];
    const format = codes.constant!.dtype;
    if (!(format in FORMATS)) return undefined;
    const axis = intOf(this.#constant(node.inputs[at])!, 'axis', 1);
    return {
      product: this.#nameOf(node.outputs[0]!),
      at,
      axis: axisOf(axis, codes.constant!.dims.length),
      grid: gridOf(format as Format, 0),
      codes,
      scale,
      bias: this.#bias(node),
      inputScale: this.#index.producer(node.inputs[1 - at]!)?.inputs[1],
    };
  }

  #bias(node: Node): StoredBias | undefined {
    const bias = node.op === 'MatMul' ? undefined : node.inputs[2];
    const stored = this.#constant(bias);
    if (stored) return { value: stored.inputs[0]!, scale: stored.inputs[1]! };
    return bias?.constant ? { value: bias, scale: undefined } : undefined;
  }

  activation(node: Node): Omit<ActivationSite, 'tie'> & { readonly around: readonly Value[] } {
    const [x, scale, zero] = node.inputs as [Value, Value, Value];
    const rounded = this.#dequantized(node);
    const alone = this.#index.uses(x).every((use) => use.node === node);
    const uses = rounded.flatMap((v) => this.#index.uses(v));
    return {
      tensor: this.#nameOf(x),
      readers: alone ? 'all' : new Set(uses.map((use) => this.#nameOf(use.node.outputs[0]!))),
      grid: gridOf(zero.constant!.dtype as Format, numbersOf(zero.constant!)[0]!),
      scale,
      rounded: rounded[0]!,
      around: [x, ...rounded],
    };
  }
}

type Found = ReturnType<Reader['activation']>;

/** Tensors around a node of `shares` have one tie, and so have those that such nodes connect. */
function tied(graph: Graph, shares: readonly string[], found: readonly Found[]): ActivationSite[] {
  const ties = found.map((site) => site.tensor);
  for (const node of graph.nodes) {
    if (!shares.includes(node.op)) continue;
    const near = new Set([...node.inputs, ...node.outputs]);
    const old = new Set(ties.filter((_, i) => found[i]!.around.some((v) => near.has(v))));
    const [first] = old;
    for (const [i, tie] of ties.entries()) if (old.has(tie)) ties[i] = first!;
  }
  return found.map(({ around: _, ...site }, i) => ({ ...site, tie: ties[i]! }));
}
