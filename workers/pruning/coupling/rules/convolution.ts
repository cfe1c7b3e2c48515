/** @file Convolutions: channels in, channels out, and the groups that tie them. */

import { intOf } from '../../../onnx/attributes.ts';
import { fixed } from '../axes.ts';
import type { CouplingRule } from '../rule.ts';

/**
 * Y = W ⋆ X + b with W (G·m, c, …), X (N, G·c, …), Y (N, G·m, …). A conv group goes as a whole on both sides; a column of W
 * belongs to the same place in every group. Depthwise (c = 1): channel in and channels out are one.
 */
export const conv: CouplingRule = (c) => {
  const [x, w] = [c.x(0), c.weight(1)];
  const groups = intOf(c.node, 'group', 1);
  for (const axis of [...x.slice(2), ...w.slice(2)]) c.blockPositions(axis);
  const [group] = c.split(w[0]!, groups);
  c.tie(x[1]!, c.merge(group, w[1]!));
  if (w[1]!.length > 1) c.mixes(0, 1);
  if (c.has(2)) c.tie(c.x(2)[0]!, w[0]!);
  c.set(0, [x[0]!, w[0]!, ...c.yDims(0).slice(2).map(fixed)]);
};

/** The same with W (G·c, m, …). */
export const convTranspose: CouplingRule = (c) => {
  const [x, w] = [c.x(0), c.weight(1)];
  const groups = intOf(c.node, 'group', 1);
  for (const axis of [...x.slice(2), ...w.slice(2)]) c.blockPositions(axis);
  c.tie(x[1]!, w[0]!);
  const [group, column] = c.split(w[0]!, groups);
  const out = c.merge(group, w[1]!);
  if (column.length > 1) c.mixes(0, 1);
  if (c.has(2)) c.tie(c.x(2)[0]!, out);
  c.set(0, [x[0]!, out, ...c.yDims(0).slice(2).map(fixed)]);
};
