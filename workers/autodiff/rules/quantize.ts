/** @file Straight-through gradients of rounding. */

import { intOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { DType } from '../../onnx/dtype.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { axisOf, dtypeOf, type Shape, shapeOf } from '../../onnx/static-shapes.ts';
import { castLike } from '../cast.ts';
import type { GradientRule } from '../rule.ts';

/** Codes that saturate; 8-bit floats reach as far as anything that is trained. */
const RANGE: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  uint2: [0, 3],
  int2: [-2, 1],
  uint4: [0, 15],
  int4: [-8, 7],
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

/** A scale or zero point, shaped to meet x: one number, one per place of `axis`, or one per block along it. */
function along(g: GraphBuilder, v: Value, x: Value, node: Node): Value {
  const [own, shape] = [shapeOf(v), shapeOf(x)];
  const axis = axisOf(intOf(node, 'axis', 1), shape.length);
  const block = intOf(node, 'block_size', 0);
  if (block > 0) return repeated(g, v, axis, block, shape);
  if (own.length === 0 || (own.length === 1 && own[0] === 1)) return g.reshape(v, []);
  return g.reshape(
    v,
    shape.map((size, i) => (i === axis ? size : 1)),
  );
}

/** Each place along `axis` becomes `block` equal ones; the last block may be cut. */
function repeated(g: GraphBuilder, v: Value, axis: number, block: number, shape: Shape): Value {
  const own = shapeOf(v);
  const insert = (n: number) => [...own.slice(0, axis + 1), n, ...own.slice(axis + 1)];
  const wide = g.op('Expand', [g.reshape(v, insert(1)), g.ints(insert(block))], insert(block));
  const joined = own.map((size, i) => (i === axis ? size * block : size));
  return g.slice(g.reshape(wide, joined), [axis], [0], [shape[axis]!], [1]);
}

/** Σ of d over the places that share a scale: the adjoint of `along`. */
function gathered(g: GraphBuilder, d: Value, v: Value, node: Node): Value {
  const [own, shape] = [shapeOf(v), shapeOf(d)];
  const axis = axisOf(intOf(node, 'axis', 1), shape.length);
  const block = intOf(node, 'block_size', 0);
  const all = shape.map((_, i) => i);
  if (block > 0) {
    const missing = own[axis]! * block - shape[axis]!;
    const none = shape.map(() => 0);
    const full = g.pad(
      d,
      none,
      shape.map((_, i) => (i === axis ? missing : 0)),
    );
    const split = [...own.slice(0, axis + 1), block, ...own.slice(axis + 1)];
    return g.sum(g.reshape(full, split), [axis + 1], false);
  }
  const single = own.length === 0 || (own.length === 1 && own[0] === 1);
  return g.reshape(g.sum(d, single ? all : all.filter((i) => i !== axis)), own);
}

/**
 * q = saturate(round(x/s) + z): rounding passes the gradient on, saturation stops it.
 *
 *     dx = dq / s where the unclamped code lies in [qmin, qmax], else 0
 *
 * The scale's own gradient needs the pair with DequantizeLinear and is left to quantization-aware training.
 *
 * Source: Bengio et al., Estimating or Propagating Gradients, https://arxiv.org/abs/1308.3432
 */
export const quantizeLinear: GradientRule = ({ node, x: [x, s, z], y: [q], dy: [d], g }) => [
  () => {
    const scale = along(g, castLike(g, s, x), x, node);
    const through = g.div(d, scale);
    const range = RANGE[dtypeOf(q)];
    if (range === undefined) return through;
    const rounded = g.unary('Round', g.div(x, scale));
    const code = node.inputs[2] ? g.add(rounded, along(g, castLike(g, z, x), x, node)) : rounded;
    const inside = g.binary(
      'And',
      g.compare('GreaterOrEqual', code, g.scalar(range[0], x)),
      g.compare('LessOrEqual', code, g.scalar(range[1], x)),
      'bool',
    );
    return g.where(inside, through, g.scalar(0, d));
  },
  null,
  null,
];

/** y = (q − z)·s;  dq = dy·s, ds = Σ dy·(q − z) over the places that share s. */
export const dequantizeLinear: GradientRule = ({ node, x: [q, s, z], dy: [d], g }) => [
  () => g.mul(d, along(g, s, q, node)),
  () => {
    const code = castLike(g, q, d);
    const steps = node.inputs[2] ? g.sub(code, along(g, castLike(g, z, d), q, node)) : code;
    return gathered(g, g.mul(d, steps), s, node);
  },
  null,
];
