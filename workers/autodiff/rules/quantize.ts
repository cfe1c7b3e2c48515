/** @file Straight-through gradients of rounding. */

import { intOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { DType } from '../../onnx/dtype.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { axisOf, dtypeOf, shapeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';

const RANGE: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

/** A scale or zero point, shaped to meet x along its axis. */
function along(g: GraphBuilder, v: Value, x: Value, node: Node): Value {
  const [size] = shapeOf(v);
  if (size === undefined || size === 1) return g.reshape(v, []);
  const axis = axisOf(intOf(node, 'axis', 1), shapeOf(x).length);
  return g.reshape(
    v,
    shapeOf(x).map((_, i) => (i === axis ? size : 1)),
  );
}

/**
 * q = saturate(round(x/s) + z): rounding passes the gradient on, saturation stops it.
 *
 *     dx = dq / s where the unclamped code lies in [qmin, qmax], else 0
 *
 * Source: Bengio et al., Estimating or Propagating Gradients, https://arxiv.org/abs/1308.3432
 */
export const quantizeLinear: GradientRule = ({ node, x: [x, s, z], y: [q], dy: [d], g }) => [
  () => {
    const [lo, hi] = RANGE[dtypeOf(q)] ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    const scale = along(g, s, x, node);
    const rounded = g.unary('Round', g.div(x, scale));
    const zero =
      node.inputs[2] &&
      along(
        g,
        g.op('Cast', [z], shapeOf(z), { to: { type: 'int', value: 1 } }, 'float32'),
        x,
        node,
      );
    const code = zero ? g.add(rounded, zero) : rounded;
    const inside = g.binary(
      'And',
      g.compare('GreaterOrEqual', code, g.scalar(lo, x)),
      g.compare('LessOrEqual', code, g.scalar(hi, x)),
    );
    return g.where(inside, g.div(d, scale), g.scalar(0, d));
  },
  null,
  null,
];

/** y = (q − z)·s;  dq = dy·s. */
export const dequantizeLinear: GradientRule = ({ node, x: [q, s], dy: [d], g }) => [
  () => g.mul(d, along(g, s, q, node)),
  null,
  null,
];
