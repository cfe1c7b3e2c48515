/** @file The weight gradient of a Conv as one Conv, for runtimes that compute large kernels directly. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';
import { conv, type Window, windowAt } from './convolution.ts';
import { exchanged } from './exchanged.ts';

/** Whether a block of channels fits the outputs, and the images of a batch fit into less than one. */
export function isDirect(node: Node, block: number): boolean {
  const [x, w] = node.inputs as [Value, Value];
  if (node.op !== 'Conv' || node.domain !== '' || shapeOf(x).length !== 4) return false;
  const win = windowAt(node);
  const plain = [...win.strides, ...win.dilations, win.group].every((k) => k === 1);
  const [m] = shapeOf(w) as [number];
  return plain && win.kernel.some((k) => k > 1) && m % block === 0 && shapeOf(x)[0]! < block;
}

/**
 * dW[m, c, k] = Σ_{n, o} dY[n, m, o]·X[n, c, o + k − p]: a Conv of X with dY as its kernels, batch and channels exchanged.
 */
export const directConv: GradientRule = (operands) => {
  const { node, x, dy, g } = operands;
  const [dx, , db] = conv(operands);
  return [dx!, () => weightGradient(g, x[0], dy[0], windowAt(node)), db!];
};

function weightGradient(g: GraphBuilder, x: Value, d: Value, win: Window): Value {
  const padded = g.pad(x, [0, 0, ...win.before], [0, 0, ...win.after]);
  const [c, m] = [shapeOf(x)[1]!, shapeOf(d)[1]!];
  const turned = (v: Value) => exchanged(g, v, shapeOf(v), 0);
  return turned(g.op('Conv', [turned(padded), turned(d)], [c, m, ...win.kernel]));
}
