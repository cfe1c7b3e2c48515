/** @file Ops over positions: pooling and resizing. */

import { fixed } from '../axes.ts';
import type { CouplingContext, CouplingRule } from '../rule.ts';

/** A window over positions, channel by channel. */
export const pool: CouplingRule = (c) => {
  const x = c.x(0);
  for (const axis of x.slice(2)) c.blockPositions(axis);
  // Places are counted through all channels.
  if (c.node.outputs[1]) c.block(x[1], `the indices that ${c.node.op} returns count through it`);
  for (const i of c.node.outputs.keys())
    c.set(i, [x[0]!, x[1]!, ...c.yDims(i).slice(2).map(fixed)]);
};

/** Axes that keep their size pass; others are interpolated. */
export const resize: CouplingRule = (c) => c.set(0, samePlaces(c));

function samePlaces(c: CouplingContext) {
  const to = c.yDims(0);
  return c.x(0).map((axis, i) => {
    if (axis.length === to[i]) return axis;
    c.block(axis, `${c.node.op} changes its size`);
    return fixed(to[i]!);
  });
}
