/** @file Ops that compute every place by itself. */

import { fixed } from '../axes.ts';
import type { Axes, CouplingContext, CouplingRule } from '../rule.ts';

/** ONNX broadcasting: align right; places that meet are one, a 1 stretches. */
export function broadcastAxes(c: CouplingContext, operands: readonly Axes[]): Axes {
  const rank = Math.max(...operands.map((axes) => axes.length));
  return Array.from({ length: rank }, (_, i) => {
    const meeting = operands
      .map((axes) => axes[i - rank + axes.length])
      .filter((axis) => axis !== undefined);
    const wide = meeting.filter((axis) => axis.length !== 1);
    for (const axis of wide) c.tie(wide[0]!, axis);
    return wide[0] ?? meeting[0] ?? fixed(1);
  });
}

/** y = f(a, b, …) with broadcasting. */
export const elementwise: CouplingRule = (c) => {
  const operands = Array.from({ length: c.inputs }, (_, i) => i).filter(c.has);
  const axes = broadcastAxes(c, operands.map(c.x));
  for (const i of c.node.outputs.keys()) c.set(i, axes);
};

/** y = f(x) place by place; further inputs are single numbers. */
export const unary: CouplingRule = (c) => {
  for (const i of c.node.outputs.keys()) c.set(i, c.x(0));
};
