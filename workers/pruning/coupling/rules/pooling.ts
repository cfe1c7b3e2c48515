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

/** Positions looked up in a picture, channel by channel; the grid says where. */
export const gridSample: CouplingRule = (c) => {
  const [x, grid] = [c.x(0), c.x(1)];
  for (const axis of [...x.slice(2), ...grid.slice(1)]) c.blockPositions(axis);
  c.tie(x[0]!, grid[0]!);
  c.set(0, [x[0]!, x[1]!, ...c.yDims(0).slice(2).map(fixed)]);
};

/** Regions of pictures, channel by channel; the boxes say where. */
export const roiPool: CouplingRule = (c) => {
  const x = c.x(0);
  for (const axis of [x[0]!, ...x.slice(2)]) c.blockPositions(axis);
  for (let i = 1; i < c.inputs; i++)
    if (c.has(i)) for (const axis of c.x(i)) c.blockPositions(axis);
  c.set(
    0,
    c.yDims(0).map((d, axis) => (axis === 1 ? x[1]! : fixed(d))),
  );
};
