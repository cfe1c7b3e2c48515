/** @file Fake quantization where a quantized model rounds: put into the graph of its float form. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { type Node, Value } from '../../onnx/graph.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { sortNodes } from '../../onnx/topological.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { floatsOf } from '../../onnx/values.ts';
import type { TrainedTensor } from '../../training/parameters.ts';
import { fakeNode } from './fake-node.ts';
import type { ActivationSite, Sites, WeightSite } from './sites.ts';

/** The trained part of a scale: s = s₀·exp(rate·θ), θ = 0 at first. Steps of θ are then shares of s, whatever its size. */
export interface Range {
  /** Initializer that holds θ: [] or [channels]. */
  readonly name: string;
  /** What the scale starts from, and the initializers of the quantized model that hold it. */
  readonly start: Tensor;
  readonly scales: Value[];
}

/** Steps of θ against steps of weights: a learning rate of 2e-5 moves a scale by 1e-4 of itself. */
export const RANGE_RATE = 5;

/** Every scale once, sites that are tied as one. */
export function rangesOf({ weights, activations }: Sites): Range[] {
  const ranges = new Map<string, Range>();
  const add = (key: string, scale: Value) => {
    const known = ranges.get(key);
    if (known) known.scales.push(scale);
    else ranges.set(key, { name: `${key}/range`, start: scale.constant!, scales: [scale] });
  };
  for (const { scale } of new Set(weights)) add(scale.name, scale);
  for (const { tie, scale } of activations) add(tie, scale);
  return [...ranges.values()];
}

/** θ of every range as an initializer of its own, at 0. */
export const rangeValue = ({ name, start }: Range): Value =>
  new Value(
    name,
    { kind: 'tensor', dtype: 'float32', shape: start.dims },
    Tensor.float32(start.dims, new Float32Array(start.size)),
  );

export interface Inserted {
  /** One per range where they are learned. */
  readonly parameters: readonly TrainedTensor[];
  /** Names of the rounded tensors. */
  readonly rounded: ReadonlyMap<ActivationSite, string>;
}

/**
 * @param g builder over a graph with the names of the float form, every size known; it is left in order
 * @param learned whether scales are trained, or stay as the quantized model has them
 */
export function insertFakes(
  g: GraphBuilder,
  sites: Sites,
  names: WeightNames,
  learned: boolean,
): Inserted {
  const insertion = new Insertion(g, learned);
  for (const range of rangesOf(sites)) insertion.scale(range);
  for (const site of sites.weights) insertion.weight(site, names.get(site)!.weight);
  const rounded = sites.activations.map((site) => [site, insertion.activation(site)] as const);
  sortNodes(g.graph);
  return { parameters: insertion.parameters, rounded: new Map(rounded) };
}

type WeightNames = ReadonlyMap<WeightSite, { readonly weight: string }>;

class Insertion {
  readonly parameters: TrainedTensor[] = [];
  readonly #g: GraphBuilder;
  readonly #learned: boolean;
  readonly #index: GraphIndex;
  readonly #values = new Map<string, Value>();
  readonly #scales = new Map<Value, Value>();
  readonly #rounded = new Map<string, Value>();

  constructor(g: GraphBuilder, learned: boolean) {
    const { graph } = g;
    this.#g = g;
    this.#learned = learned;
    this.#index = new GraphIndex(graph);
    for (const v of [...graph.inputs, ...graph.initializers]) this.#values.set(v.name, v);
    for (const n of graph.nodes) for (const y of n.outputs) if (y) this.#values.set(y.name, y);
  }

  /** In the graph: s₀·exp(rate·θ), or s₀. */
  scale(range: Range): void {
    const g = this.#g;
    const theta = rangeValue(range);
    const start = g.floats(range.start.dims, floatsOf(range.start), theta);
    let scale = start;
    if (this.#learned) {
      const others = g.graph.initializers.filter((v) => v.name !== theta.name);
      g.graph.initializers = [...others, theta];
      scale = g.mul(start, g.exp(g.scale(theta, RANGE_RATE)));
      this.parameters.push({ value: theta, initial: theta.constant!, role: 'range' });
    }
    for (const stored of range.scales) this.#scales.set(stored, scale);
  }

  weight({ product, at, axis, scale, codes, grid }: WeightSite, name: string): void {
    const node = this.#index.producer(this.#values.get(product)!)!;
    const x = node.inputs[at]!;
    const known = this.#rounded.get(codes.name);
    const y = known ?? new Value(this.#g.name(`${name}/rounded`), x.type);
    node.inputs[at] = y;
    if (known) return;
    this.#rounded.set(codes.name, y);
    const along = scale.constant!.dims.length === 0 ? undefined : axis;
    this.#g.graph.nodes.push(
      fakeNode({ x, scale: this.#scales.get(scale)!, y, grid, axis: along }),
    );
  }

  /** @returns the name of the rounded tensor */
  activation({ tensor, readers, grid, scale }: ActivationSite): string {
    const value = this.#values.get(tensor)!;
    const maker = this.#index.producer(value);
    const s = this.#scales.get(scale)!;
    const other = new Value(this.#g.name(`${tensor}/rounded`), value.type);
    if (readers === 'all' && maker) {
      // The value itself becomes the rounded one: whoever holds it, a loss too, then sees that.
      maker.outputs = maker.outputs.map((y) => (y === value ? other : y));
      this.#push(fakeNode({ x: other, scale: s, y: value, grid, axis: undefined }));
      return value.name;
    }
    for (const { node } of this.#index.uses(value))
      if (readers === 'all' || node.outputs.some((y) => y && readers.has(y.name)))
        node.inputs = node.inputs.map((x) => (x === value ? other : x));
    this.#push(fakeNode({ x: value, scale: s, y: other, grid, axis: undefined }));
    return other.name;
  }

  #push(node: Node): void {
    this.#g.graph.nodes.push(node);
  }
}
