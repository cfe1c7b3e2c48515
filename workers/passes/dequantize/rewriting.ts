/** @file The state of one dequantization: which values were codes, and what stands in for them. */

import { type Graph, type Node, shapeKnown, Value } from '../../onnx/graph.ts';
import { Names } from '../../onnx/names.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { GraphIndex, replaceUses } from '../../onnx/uses.ts';
import { numbersOf } from '../../onnx/values.ts';
import { type Coding, codingOf, numbersFor, rectifying, refuse, sameCoding } from './codes.ts';

/** Ops whose result has no negative numbers. */
const NON_NEGATIVE = new Set(['Relu', 'Sigmoid', 'Softmax', 'Clip', 'HardSigmoid', 'Abs']);

export class Rewriting {
  readonly graph: Graph;
  readonly #names: Names;
  readonly #codings = new Map<Value, Coding>();
  readonly #folded = new Map<Value, Value>();
  #nodes: Node[] = [];

  constructor(graph: Graph) {
    this.graph = graph;
    this.#names = new Names(graph);
  }

  coding = (v: Value | undefined): Coding | undefined => v && this.#codings.get(v);

  /** The value held codes, and holds numbers from now on. */
  mark(v: Value, coding: Coding): void {
    this.#codings.set(v, coding);
  }

  /** What a node reads as codes, as numbers. */
  operand(
    node: Node,
    codes: Value,
    scale: Value | undefined,
    zero: Value | undefined,
    axis = 0,
  ): Value {
    const coding = codingOf(node, scale, zero, axis);
    if (codes.constant) return this.constant(codes, coding);
    const written = this.#codings.get(codes);
    if (!written) refuse(node, `'${codes.name}' comes as integers from outside the model`);
    if (!sameCoding(written, coding))
      refuse(node, `'${codes.name}' is read with another scale than it was written with`);
    return codes;
  }

  constant(codes: Value, coding: Coding): Value {
    const known = this.#folded.get(codes);
    if (known) return known;
    const value = this.initializer(`${codes.name}/float`, numbersFor(codes.constant!, coding));
    this.#folded.set(codes, value);
    return value;
  }

  initializer(stem: string, tensor: Tensor): Value {
    const type = { kind: 'tensor', dtype: 'float32', shape: tensor.dims } as const;
    const value = new Value(this.#names.fresh(stem), type, tensor);
    this.graph.initializers.push(value);
    return value;
  }

  /** The factor of the Mul behind a product and its Cast: one number, or one for each column of a matrix. It is 1 afterwards. */
  takeScale(product: Node): readonly number[] {
    const index = new GraphIndex(this.graph);
    const only = (v: Value | undefined) =>
      v && index.uses(v).length === 1 ? index.uses(v)[0]!.node : undefined;
    const cast = only(product.outputs[0]);
    const mul = cast?.op === 'Cast' ? only(cast.outputs[0]) : undefined;
    const factor = mul?.op === 'Mul' ? mul.inputs.find((v) => v !== cast!.outputs[0]) : undefined;
    const made = factor && index.producer(factor);
    const numbers =
      made?.op === 'Mul' ? made.inputs.map((v) => v?.constant && numbersOf(v.constant)) : [];
    const [a, b] = numbers;
    const scales =
      a?.length === 1 && a[0] === 1 ? b : b?.length === 1 && b[0] === 1 ? a : undefined;
    const fits =
      scales?.length === 1 ||
      (product.op === 'MatMulInteger' && factor && shapeKnown(factor)?.length === 1);
    if (!scales || !fits || !mul) return [1];
    const one = this.initializer(`${factor!.name}/one`, Tensor.float32([], [1]));
    mul.inputs = mul.inputs.map((v) => (v === factor ? one : v));
    return scales;
  }

  /** A node in place of another: its name, its first output, other op and inputs. */
  put(node: Node, op: string, inputs: Node['inputs'], drop: readonly string[] = []): void {
    const kept = Object.entries(node.attributes).filter(([name]) => !drop.includes(name));
    const attributes = Object.fromEntries(kept);
    this.#nodes.push({
      ...node,
      op,
      domain: '',
      inputs,
      outputs: node.outputs.slice(0, 1),
      attributes,
    });
  }

  keep(node: Node): void {
    this.#nodes.push(node);
  }

  /** The node's result was stored as codes: marked, and cut off at 0 where a rectifier may live in the code alone. */
  written(node: Node, scale: Value | undefined, zero: Value | undefined): void {
    const coding = codingOf(node, scale, zero, 0);
    const y = node.outputs[0]!;
    this.mark(y, coding);
    const range = rectifying(coding, zero);
    if (!range || NON_NEGATIVE.has(this.#nodes.at(-1)!.op)) return;
    const made = new Value(this.#names.fresh(`${y.name}/unclipped`));
    this.#nodes.at(-1)!.outputs = [made];
    this.clip(node, made, y, range);
  }

  clip(node: Node, from: Value, to: Value, [low, high]: readonly [number, number]): void {
    const bound = (name: string, x: number) =>
      this.initializer(`${to.name}/${name}`, Tensor.float32([], [x]));
    this.#nodes.push({
      name: this.#names.fresh(`${node.name}/Clip`),
      op: 'Clip',
      domain: '',
      inputs: [from, bound('low', low), bound('high', high)],
      outputs: [to],
      attributes: {},
    });
  }

  /** Every later reader of `y` reads `x`; an output of the model keeps its name. */
  alias(node: Node, y: Value, x: Value): void {
    if (this.graph.outputs.includes(y))
      this.#nodes.push({
        ...node,
        op: 'Identity',
        domain: '',
        inputs: [x],
        outputs: [y],
        attributes: {},
      });
    const outputs = this.graph.outputs;
    replaceUses(this.graph, y, x);
    this.graph.outputs = outputs;
  }

  isNonNegative = (v: Value): boolean => {
    const made = this.#nodes.find((n) => n.outputs.includes(v));
    return made === undefined || NON_NEGATIVE.has(made.op);
  };

  finish(): void {
    this.graph.nodes = this.#nodes;
  }
}
