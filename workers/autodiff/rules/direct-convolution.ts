/** @file The weight gradient of a Conv as one Conv, for runtimes that compute large kernels directly. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { type Shape, shapeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';
import { conv, type Window, windowAt } from './convolution.ts';
import { exchanged } from './exchanged.ts';

/** Whether a block of channels fits the outputs, and the images of a batch fit into less than one. */
export function isDirect(node: Node, block: number): boolean {
  const [x, w] = node.inputs as [Value, Value];
  if (node.op !== 'Conv' || node.domain !== '' || shapeOf(x).length !== 4) return false;
  const win = windowAt(node);
  const [m] = shapeOf(w) as [number];
  return (
    win.group === 1 && win.kernel.some((k) => k > 1) && m % block === 0 && shapeOf(x)[0]! < block
  );
}

/**
 * dW[m, c, k] = Σ_{n, o} dY[n, m, o]·X[n, c, s·o + d·k − p]: a Conv of X with dY as its kernels, batch and channels exchanged,
 * strides and dilations too.
 */
export const directConv: GradientRule = (operands) => {
  const { node, x, dy, g } = operands;
  const [dx, , db] = conv(operands);
  return [dx!, () => weightGradient(g, x[0], dy[0], windowAt(node)), db!];
};

function weightGradient(g: GraphBuilder, x: Value, d: Value, win: Window): Value {
  const [[, c, ...size], [, m, ...out]] = [shapeOf(x), shapeOf(d)] as [Shape, Shape];
  const { before, strides, dilations, kernel } = win;
  // What the last window reaches, which may be less than there is.
  const reach = out.map((o, i) => (o - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1);
  const after = reach.map((all, i) => all - size[i]! - before[i]!);
  const padded = g.pad(x, [0, 0, ...before], [0, 0, ...after]);
  const turned = (v: Value) => exchanged(g, v, shapeOf(v), 0);
  const exchange = {
    strides: { type: 'ints', value: dilations },
    dilations: { type: 'ints', value: strides },
  } as const;
  return turned(g.op('Conv', [turned(padded), turned(d)], [c!, m!, ...kernel], exchange));
}
