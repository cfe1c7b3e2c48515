/** @file Normalisation: by each channel alone it can be cut, over channels it cannot. */

import { intOf, intsOf } from '../../../onnx/attributes.ts';
import { axisOf } from '../../../onnx/static-shapes.ts';
import type { CouplingContext, CouplingRule } from '../rule.ts';

const over = (c: CouplingContext) => `normalisation over the axis by ${c.node.op}`;

/** Statistics of each channel, stored: scale, bias, mean, variance follow. */
export const batchNorm: CouplingRule = (c) => {
  const x = c.x(0);
  for (let i = 1; i < c.inputs; i++) if (c.has(i)) c.tie(x[1] ?? x[0]!, c.x(i)[0]!);
  c.set(0, x);
};

/** Statistics over positions of each channel. */
export const instanceNorm: CouplingRule = (c) => {
  const x = c.x(0);
  for (const axis of x.slice(2)) c.block(axis, over(c));
  for (const i of [1, 2]) c.tie(x[1]!, c.x(i)[0]!);
  c.set(0, x);
};

/** Statistics over groups of channels and positions: whole groups may go. */
export const groupNorm: CouplingRule = (c) => {
  const x = c.x(0);
  const groups = intOf(c.node, 'num_groups', 1);
  for (const axis of x.slice(2)) c.block(axis, over(c));
  const [group, inside] = c.split(x[1]!, groups);
  c.block(inside, over(c));
  for (const i of [1, 2]) {
    const own = c.x(i)[0]!;
    c.tie(own.length === groups ? group : x[1]!, own);
  }
  c.set(0, x);
};

/** Statistics over the last axes. */
export const layerNorm: CouplingRule = (c) => {
  const x = c.x(0);
  const first = axisOf(intOf(c.node, 'axis', -1), x.length);
  for (const axis of x.slice(first)) c.block(axis, over(c));
  for (let i = 1; i < c.inputs; i++)
    if (c.has(i)) for (const axis of c.x(i)) c.block(axis, over(c));
  c.set(0, x);
  for (const [i, y] of c.node.outputs.entries())
    if (i > 0 && y)
      c.set(
        i,
        x.map((axis, k) => (k < first ? axis : axis.slice(0, 1))),
      );
};

/** Over neighbouring channels. */
export const lrn: CouplingRule = (c) => {
  c.block(c.x(0)[1], over(c));
  c.set(0, c.x(0));
};

/** (x − mean) / deviation over the stated axes. */
export const meanVariance: CouplingRule = (c) => {
  for (const axis of intsOf(c.node, 'axes', [0, 2, 3])) c.block(c.x(0)[axis], over(c));
  c.set(0, c.x(0));
};

/** x / ‖x‖: zeros add nothing to the norm. */
export const lpNorm: CouplingRule = (c) => {
  const x = c.x(0);
  c.mixes(0, axisOf(intOf(c.node, 'axis', -1), x.length));
  c.set(0, x);
};

/** One axis since opset 13, all axes from it on before. */
export const softmax: CouplingRule = (c) => {
  const x = c.x(0);
  const first = axisOf(intOf(c.node, 'axis', c.opset < 13 ? 1 : -1), x.length);
  for (const axis of x.slice(first, c.opset < 13 ? x.length : first + 1))
    c.block(axis, `softmax over the axis (${c.node.op})`);
  c.set(0, x);
};
