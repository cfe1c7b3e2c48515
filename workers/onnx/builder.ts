/** @file Writes nodes behind a graph while keeping their shapes. */

import { int, ints } from './attributes.ts';
import type { DType } from './dtype.ts';
import type { Attribute, Graph, Node, TensorType } from './graph.ts';
import { Value } from './graph.ts';
import { Names } from './names.ts';
import { broadcast, dtypeOf, shapeOf, sizeOf } from './static-shapes.ts';
import { bytesOf, Tensor } from './tensor.ts';

type Attributes = Readonly<Record<string, Attribute>>;

/**
 * Appends standard ai.onnx nodes (opset 21 forms) to `graph`. Every value made here has a static type, since
 * whoever calls states the shape of whatever is not elementwise.
 */
export class GraphBuilder {
  readonly graph: Graph;
  readonly #names: Names;
  readonly #constants = new Map<string, Value>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.#names = new Names(graph);
  }

  /** A name that nothing in the graph has yet, derived from what it belongs to. */
  name(stem: string): string {
    return this.#names.fresh(stem);
  }

  /** One node with one output of the given shape; `dtype` defaults to the first input's. */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    shape: readonly number[],
    attributes: Attributes = {},
    dtype?: DType,
  ): Value {
    return this.ops(op, inputs, [shape], attributes, dtype)[0]!;
  }

  /** One node with several outputs. */
  ops(
    op: string,
    inputs: readonly (Value | undefined)[],
    shapes: readonly (readonly number[])[],
    attributes: Attributes = {},
    dtype?: DType,
  ): Value[] {
    const first = inputs.find((v) => v !== undefined)!;
    const name = this.name(`${first.name}/${op}`);
    const outputs = shapes.map((shape, i) => {
      const type: TensorType = { kind: 'tensor', dtype: dtype ?? dtypeOf(first), shape };
      return new Value(this.name(i === 0 ? `${name}:0` : `${name}:${i}`), type);
    });
    const node: Node = {
      name,
      op,
      domain: '',
      inputs: [...inputs],
      outputs,
      attributes: { ...attributes },
    };
    this.graph.nodes.push(node);
    return outputs;
  }

  /** A constant of any type; equal constants are stored once. */
  tensor(tensor: Tensor): Value {
    const key = `${tensor.dtype}[${tensor.dims}]${Buffer.from(tensor.bytes).toString('base64')}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const type: TensorType = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims };
    const value = new Value(this.name(`constant_${this.#constants.size}`), type, tensor);
    this.graph.initializers.push(value);
    this.#constants.set(key, value);
    return value;
  }

  /** Floating constant of the element type of `like`, row-major. */
  floats(dims: readonly number[], data: ArrayLike<number>, like: Value): Value {
    const double = dtypeOf(like) === 'float64';
    const values = double ? Float64Array.from(data) : Float32Array.from(data);
    return this.tensor(new Tensor(double ? 'float64' : 'float32', dims, bytesOf(values)));
  }

  scalar(x: number, like: Value): Value {
    return this.floats([], [x], like);
  }

  /** One-dimensional int64 constant: a shape, axes, indices. */
  ints(data: readonly number[]): Value {
    return this.tensor(Tensor.int64([data.length], data));
  }

  zeros(shape: readonly number[], like: Value): Value {
    return this.fill(0, shape, like);
  }

  /** A constant tensor of one number, kept small in the file. */
  fill(x: number, shape: readonly number[], like: Value): Value {
    if (sizeOf(shape) <= 16) return this.floats(shape, new Array(sizeOf(shape)).fill(x), like);
    return this.op('Expand', [this.scalar(x, like), this.ints(shape)], shape);
  }

  // Elementwise, with ONNX broadcasting.
  binary(op: string, a: Value, b: Value, dtype?: DType): Value {
    return this.op(op, [a, b], broadcast(shapeOf(a), shapeOf(b)), {}, dtype);
  }
  unary(op: string, a: Value, attributes: Attributes = {}): Value {
    return this.op(op, [a], shapeOf(a), attributes);
  }
  add = (a: Value, b: Value) => this.binary('Add', a, b);
  sub = (a: Value, b: Value) => this.binary('Sub', a, b);
  mul = (a: Value, b: Value) => this.binary('Mul', a, b);
  div = (a: Value, b: Value) => this.binary('Div', a, b);
  pow = (a: Value, b: Value) => this.binary('Pow', a, b);
  neg = (a: Value) => this.unary('Neg', a);
  exp = (a: Value) => this.unary('Exp', a);
  sqrt = (a: Value) => this.unary('Sqrt', a);
  sigmoid = (a: Value) => this.unary('Sigmoid', a);
  scale = (a: Value, factor: number) => (factor === 1 ? a : this.mul(a, this.scalar(factor, a)));
  plus = (a: Value, term: number) => this.add(a, this.scalar(term, a));
  /** Boolean of a's and b's broadcast shape; op is Less, Greater, Equal … */
  compare = (op: string, a: Value, b: Value) => this.binary(op, a, b, 'bool');
  where(condition: Value, a: Value, b: Value): Value {
    const shape = broadcast(shapeOf(condition), broadcast(shapeOf(a), shapeOf(b)));
    return this.op('Where', [condition, a, b], shape, {}, dtypeOf(a));
  }
  /** 1 where the condition holds, else 0, in the element type of `like`. */
  indicator(condition: Value, like: Value): Value {
    return this.where(condition, this.scalar(1, like), this.scalar(0, like));
  }

  reshape(a: Value, shape: readonly number[]): Value {
    const same = shapeOf(a).length === shape.length && shapeOf(a).every((d, i) => d === shape[i]);
    return same ? a : this.op('Reshape', [a, this.ints(shape)], shape, { allowzero: int(1) });
  }
  transpose(a: Value, perm: readonly number[]): Value {
    if (perm.every((p, i) => p === i)) return a;
    return this.op(
      'Transpose',
      [a],
      perm.map((p) => shapeOf(a)[p]!),
      { perm: ints(perm) },
    );
  }
  /** Sum over `axes`, which stay as 1 unless `keep` is false. */
  sum(a: Value, axes: readonly number[], keep = true): Value {
    return this.reduce('ReduceSum', a, axes, keep);
  }
  reduce(op: string, a: Value, axes: readonly number[], keep = true): Value {
    if (axes.length === 0) return a;
    const shape = shapeOf(a).flatMap((d, i) => (axes.includes(i) ? (keep ? [1] : []) : [d]));
    return this.op(op, [a, this.ints(axes)], shape, { keepdims: int(keep ? 1 : 0) });
  }
  matmul(a: Value, b: Value): Value {
    const [x, y] = [shapeOf(a), shapeOf(b)];
    const batch = broadcast(x.slice(0, -2), y.slice(0, -2));
    return this.op('MatMul', [a, b], [...batch, x.at(-2)!, y.at(-1)!]);
  }
  /** Swap the last two axes. */
  swap(a: Value): Value {
    const rank = shapeOf(a).length;
    const perm = Array.from({ length: rank }, (_, i) => i);
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    return this.transpose(a, perm);
  }
  concat(values: readonly Value[], axis: number): Value {
    if (values.length === 1) return values[0]!;
    const shape = [...shapeOf(values[0]!)];
    shape[axis] = values.reduce((n, v) => n + shapeOf(v)[axis]!, 0);
    return this.op('Concat', values, shape, { axis: int(axis) });
  }
  /** a[start : end : step] along each of `axes`; 0 ≤ start, positive steps. */
  slice(
    a: Value,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps: readonly number[],
  ): Value {
    const shape = [...shapeOf(a)];
    for (const [i, axis] of axes.entries())
      shape[axis] = Math.ceil((Math.min(ends[i]!, shape[axis]!) - starts[i]!) / steps[i]!);
    const inputs = [a, this.ints(starts), this.ints(ends), this.ints(axes), this.ints(steps)];
    return this.op('Slice', inputs, shape);
  }
  /** The values along `axis` in the opposite order. */
  reverse(a: Value, axis: number): Value {
    const size = shapeOf(a)[axis]!;
    if (size === 1) return a;
    const inputs = [
      a,
      this.ints([size - 1]),
      this.ints([-size - 1]),
      this.ints([axis]),
      this.ints([-1]),
    ];
    return this.op('Slice', inputs, shapeOf(a));
  }
  /** Pad with zeros (or cut, where negative): `before` and `after` have one entry per axis. */
  pad(a: Value, before: readonly number[], after: readonly number[]): Value {
    if ([...before, ...after].every((p) => p === 0)) return a;
    const shape = shapeOf(a).map((d, i) => d + before[i]! + after[i]!);
    return this.op('Pad', [a, this.ints([...before, ...after])], shape);
  }
  gather(a: Value, indices: Value, axis: number): Value {
    const shape = [
      ...shapeOf(a).slice(0, axis),
      ...shapeOf(indices),
      ...shapeOf(a).slice(axis + 1),
    ];
    return this.op('Gather', [a, indices], shape, { axis: int(axis) });
  }
}
