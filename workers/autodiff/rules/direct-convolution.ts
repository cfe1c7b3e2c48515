/** @file The weight gradient of a Conv as one Conv, for runtimes that compute large kernels directly. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { range, shapeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';
import { conv, type Window, windowOf } from './convolution.ts';

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
  const inputs = [exchanged(g, padded), exchanged(g, d)];
  return exchanged(g, g.op('Conv', inputs, [c, m, ...win.kernel]));
}

/** (A, B, …) → (B, A, …): a Gather of what lies behind, which works in several threads where Transpose does not. */
function exchanged(g: GraphBuilder, v: Value): Value {
  const [a, b, ...rest] = shapeOf(v) as [number, number, ...number[]];
  const order = range(a * b).map((k) => (k % a) * b + Math.floor(k / a));
  const rows = g.gather(g.reshape(v, [a * b, ...rest]), g.ints(order), 0);
  return g.reshape(rows, [b, a, ...rest]);
}

const windowAt = (node: Node): Window => {
  const [x, w] = node.inputs as [Value, Value];
  return windowOf(
    node,
    shapeOf(x).slice(2),
    shapeOf(node.outputs[0]!).slice(2),
    shapeOf(w).slice(2),
  );
};
