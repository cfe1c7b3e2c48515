/** @file Another size of static inputs: every constant that depends on it is found, made anew or refused by name. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { intOf } from '../../onnx/attributes.ts';
import { findDecodeTail } from '../../onnx/decode-tail.ts';
import {
  type Attribute,
  type Model,
  type Node,
  nodeLabel,
  shapeKnown,
  type Value,
  Value as ValueOf,
} from '../../onnx/graph.ts';
import { Names } from '../../onnx/names.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { numbersOf } from '../../onnx/values.ts';
import { type Axis, atom, axisSize, isChanged, refuse, sizesOf } from './axes.ts';
import { followAxes } from './follow.ts';
import { RESIZE_RULES } from './rules.ts';
import { type Operand, type Result, runNode } from './run-node.ts';

export interface ResizedConstant {
  readonly node: string;
  readonly constant: string;
  readonly what: string;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Constants of more elements are not data that shapes are made of. */
const DATA_ELEMENTS = 4096;

/**
 * Change the sizes of static inputs in place. The graph is walked in order with both sizes of every axis: what a node
 * makes at the new size is asked of the runtime, node by node; constants of the node are adapted by its rule first.
 *
 * @param model with every size known and types inferred (old sizes); constants folded
 * @param inputs input → its axes
 * @throws INPUT_SHAPE_UNSUPPORTED naming the node
 */
export async function resizeModel(
  model: Model,
  inputs: ReadonlyMap<Value, readonly Axis[]>,
  signal?: AbortSignal,
): Promise<ResizedConstant[]> {
  const walk = new Walk(model, inputs);
  for (const node of [...model.graph.nodes]) {
    signal?.throwIfAborted();
    await walk.step(node);
  }
  return walk.constants;
}

class Walk {
  readonly constants: ResizedConstant[] = [];
  readonly #model: Model;
  readonly #index: GraphIndex;
  readonly #names: Names;
  readonly #tail: ReadonlySet<Node>;
  readonly #axes = new Map<Value, readonly Axis[]>();
  /** Elements of values that only sizes decide: results of Shape and what is computed of them. */
  readonly #data = new Map<Value, Tensor>();
  readonly #sizes = new Map<number, Set<number>>();

  constructor(model: Model, inputs: ReadonlyMap<Value, readonly Axis[]>) {
    this.#model = model;
    this.#index = new GraphIndex(model.graph);
    this.#names = new Names(model.graph);
    this.#tail = findDecodeTail(model.graph, model.graph.outputs, this.#index).nodes;
    for (const [value, axes] of inputs) this.#know(value, axes);
  }

  #know(value: Value, axes: readonly Axis[]): void {
    this.#axes.set(value, axes);
    for (const axis of axes.filter(isChanged)) {
      const old = axisSize(axis, 'old');
      if (!this.#sizes.has(old)) this.#sizes.set(old, new Set());
      this.#sizes.get(old)!.add(axisSize(axis, 'now'));
    }
  }

  #axesOf(value: Value | undefined): readonly Axis[] | undefined {
    if (!value) return undefined;
    return this.#axes.get(value) ?? oldSizes(value)?.map((d) => atom(d, d));
  }

  async step(node: Node): Promise<void> {
    if (!this.#concerns(node)) return;
    this.#refuseScalars(node);
    const followed = this.#adapt(node);
    const results = await this.#run(node);
    for (const [i, y] of node.outputs.entries()) {
      if (!y) continue;
      const { dims, data } = results[i]!;
      const old = oldSizes(y);
      if (!old || dims.some((d) => d === undefined) || dims.length !== old.length)
        return refuse(
          `node '${nodeLabel(node)}'`,
          'the size of its result is not known before it runs',
        );
      const now = dims as number[];
      if (data) this.#data.set(y, data);
      const x = node.inputs.map((v) => this.#axesOf(v));
      const fits = i === 0 && followed && `${sizesOf(followed, 'now')}` === `${now}`;
      this.#know(y, fits ? followed : followAxes(node, x, { old, now }, i));
    }
  }

  /** Whether a node sees a changed axis, or computes with sizes (those that stay are wanted too). */
  #concerns(node: Node): boolean {
    return (
      (node.op === 'Shape' && node.domain === '') ||
      node.inputs.some((v) => v && (this.#data.has(v) || this.#axes.get(v)?.some(isChanged)))
    );
  }

  /** Apply the op's rule. @returns the axes of the first output, where the rule told them */
  #adapt(node: Node): readonly Axis[] | undefined {
    let followed: readonly Axis[] | undefined;
    RESIZE_RULES[node.op]?.({
      node,
      x: node.inputs.map((v) => this.#axesOf(v)),
      out: oldSizes(node.outputs[0]) ?? [],
      constant: (index) => node.inputs[index]?.constant,
      sizes: this.#sizes,
      set: (index, tensor, what) => this.#set(node, index, tensor, what),
      attribute: (name, value) => this.#setAttribute(node, name, value),
      follow: (axes) => {
        followed = axes;
      },
      refuse: (why) => refuse(`node '${nodeLabel(node)}' (${node.op})`, why),
    });
    return followed;
  }

  #set(node: Node, index: number, tensor: Tensor, what: string): void {
    const value = node.inputs[index]!;
    const old = value.constant!;
    const small = tensor.size <= 8 && tensor.dims.length === 1;
    this.constants.push({
      node: nodeLabel(node),
      constant: value.name,
      what,
      from: small ? numbersOf(old) : old.dims,
      to: small ? numbersOf(tensor) : tensor.dims,
    });
    const type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims } as const;
    if (this.#index.uses(value).length === 1 && !this.#index.isOutput(value)) {
      value.constant = tensor;
      value.type = type;
      return;
    }
    const own = new ValueOf(this.#names.fresh(`${value.name}/resized`), type, tensor);
    this.#model.graph.initializers.push(own);
    node.inputs[index] = own;
  }

  #setAttribute(node: Node, name: string, value: Attribute): void {
    const list = (a: Attribute | undefined) => (a?.type === 'ints' ? a.value.map(Number) : []);
    const [from, to] = [list(node.attributes[name]), list(value)];
    this.constants.push({ node: nodeLabel(node), constant: name, what: 'attribute', from, to });
    node.attributes[name] = value;
  }

  /** A number in the decoding that equals the old size may mean it: the graph does not say. */
  #refuseScalars(node: Node): void {
    if (!this.#tail.has(node) || !/^(Mul|Div|Sub|Add|Mod|Clip|Min|Max)$/.test(node.op)) return;
    const sides = [...this.#sizes.keys()].filter((d) => d >= 16);
    for (const v of node.inputs) {
      if (!v?.constant || v.constant.size > 8 || v.constant.strings) continue;
      const found = numbersOf(v.constant).find((x) =>
        sides.some((d) => x === d || Math.abs(x * d - 1) < 1e-6),
      );
      if (found !== undefined && !this.#isStride(found))
        refuse(
          `node '${nodeLabel(node)}' (${node.op})`,
          `its constant '${v.name}' holds ${found}, which may stand for a size that changes`,
        );
    }
  }

  /** 16 and 32 are sizes of small maps and strides of large ones: a stride stays. */
  readonly #isStride = (x: number): boolean => Number.isInteger(Math.log2(x)) && x <= 128;

  async #run(node: Node): Promise<Result[]> {
    const operands = node.inputs.map((v): Operand | undefined => {
      if (!v) return undefined;
      const dtype = v.type?.kind === 'tensor' ? v.type.dtype : (v.constant?.dtype ?? 'float32');
      const data = v.constant ?? this.#data.get(v);
      if (data) {
        const keep = data.size <= DATA_ELEMENTS || !/float/.test(data.dtype);
        return { dtype: data.dtype, dims: data.dims, data: keep ? data : undefined };
      }
      return { dtype, dims: sizesOf(this.#axesOf(v) ?? [], 'now'), data: undefined };
    });
    if (node.op === 'Shape' && operands[0] && !operands[0].data) return [this.#shape(node)];
    try {
      return await runNode(this.#model, node, operands);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'MODEL_CANNOT_RUN') throw error;
      return refuse(`node '${nodeLabel(node)}' (${node.op})`, (error.facts as { why: string }).why);
    }
  }

  /** The runtime leaves out the elements of Shape where it may not run: they are the sizes themselves. */
  #shape(node: Node): Result {
    const sizes = sizesOf(this.#axesOf(node.inputs[0]) ?? [], 'now');
    const data = sizes.slice(intOf(node, 'start', 0), intOf(node, 'end', sizes.length));
    return { dims: [data.length], data: Tensor.int64([data.length], data) };
  }
}

function oldSizes(value: Value | undefined): number[] | undefined {
  const shape = value?.constant?.dims ?? shapeKnown(value);
  return shape?.every((d) => typeof d === 'number') ? (shape as number[]) : undefined;
}
