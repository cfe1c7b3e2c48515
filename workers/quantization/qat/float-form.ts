/** @file The float model behind a quantized one: the weights that round to its codes, ready to be trained. */

import { cloneModel } from '../../onnx/clone.ts';
import { type Model, type Node, Value } from '../../onnx/graph.ts';
import { Names } from '../../onnx/names.ts';
import { roundHalfEven } from '../../onnx/round.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { floatsOf, numbersOf } from '../../onnx/values.ts';
import type { Grid } from './grid.ts';
import type { WeightSite } from './sites.ts';

/** Where in its step a weight stands that was rounded the long way: just on this side of the border. */
const EDGE = 0.49;

/** Names of the initializers that hold a site's weight and bias in the float form. */
export interface TrainedNames {
  readonly weight: string;
  readonly bias: string | undefined;
}

export interface FloatForm {
  readonly model: Model;
  readonly names: ReadonlyMap<WeightSite, TrainedNames>;
}

/**
 * A copy of `float` whose weights round to the codes that the quantized model holds (learned roundings included) and whose
 * biases are its biases, so that training starts from just that model. A weight that another node reads otherwise is split.
 */
export function floatForm(float: Model, sites: readonly WeightSite[]): FloatForm {
  const model = cloneModel(float);
  const form = new Form(model, sites);
  const names = new Map(sites.map((site) => [site, form.place(site)]));
  return { model, names };
}

class Form {
  readonly #model: Model;
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #fresh: Names;
  /** Codes → the weight that stands for them. */
  readonly #placed = new Map<Value, Value>();
  readonly #shared: (value: Value) => boolean;

  constructor(model: Model, sites: readonly WeightSite[]) {
    const { graph } = model;
    this.#model = model;
    this.#nodes = new Map(graph.nodes.flatMap((n) => n.outputs.map((y) => [y?.name ?? '', n])));
    this.#fresh = new Names(graph);
    const index = new GraphIndex(graph);
    const codesOf = new Map(sites.map((s) => [this.#nodes.get(s.product), s.codes]));
    this.#shared = (value) =>
      new Set(index.uses(value).map(({ node }) => codesOf.get(node))).size > 1;
  }

  place(site: WeightSite): TrainedNames {
    const node = this.#nodes.get(site.product)!;
    const weight = this.#placed.get(site.codes) ?? this.#weight(node, site);
    this.#placed.set(site.codes, weight);
    node.inputs[site.at] = weight;
    return { weight: weight.name, bias: site.bias && this.#bias(node, site.bias).name };
  }

  #weight(node: Node, site: WeightSite): Value {
    const old = node.inputs[site.at]!;
    const { dims } = old.constant!;
    const data = onGrid(floatsOf(old.constant!), dims, site);
    return this.#hold(old, Tensor.float32(dims, data));
  }

  #bias(node: Node, { value, scale }: NonNullable<WeightSite['bias']>): Value {
    const old = node.inputs[2]!;
    const codes = numbersOf(value.constant!);
    const scales = scale && floatsOf(scale.constant!);
    const data = codes.map((q, c) => (scales ? q * scales[scales.length === 1 ? 0 : c]! : q));
    const bias = this.#hold(old, Tensor.float32(old.constant!.dims, data));
    node.inputs[2] = bias;
    return bias;
  }

  /** The initializer itself, or one of its own where others need what it held. */
  #hold(old: Value, tensor: Tensor): Value {
    if (!this.#shared(old)) {
      old.constant = tensor;
      return old;
    }
    const type = { kind: 'tensor', dtype: 'float32', shape: tensor.dims } as const;
    const own = new Value(this.#fresh.fresh(old.name), type, tensor);
    this.#model.graph.initializers.push(own);
    return own;
  }
}

/** Each weight, or where it does not round to its code the nearest number that does. */
function onGrid(
  w: Float32Array,
  dims: readonly number[],
  { codes, scale, axis, grid }: WeightSite,
): Float32Array {
  const q = numbersOf(codes.constant!);
  const scales = floatsOf(scale.constant!);
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  return w.map((x, i) => {
    const s = scales[scales.length === 1 ? 0 : Math.floor(i / inner) % dims[axis]!]!;
    if (codeOf(x, s, grid) === q[i]) return x;
    const away = Math.max(-EDGE, Math.min(EDGE, x / s - q[i]!));
    return (q[i]! + away) * s;
  });
}

/** clip(round(x / s), qn, qp), ties to even, the quotient that of float32. */
export const codeOf = (x: number, scale: number, { qn, qp }: Grid): number =>
  Math.max(qn, Math.min(qp, roundHalfEven(Math.fround(x / scale))));
