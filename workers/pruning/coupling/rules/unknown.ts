/** @file Ops that are not followed: what they take in stays whole. */

import { fixed } from '../axes.ts';
import type { Axes, CouplingContext } from '../rule.ts';

/** Everything that goes in stays. */
export function unknown(
  c: CouplingContext,
  reason = `${c.node.op} mixes it in a way that is not known`,
): void {
  for (let i = 0; i < c.inputs; i++) if (c.has(i)) for (const axis of c.x(i)) c.block(axis, reason);
  for (const [i, y] of c.node.outputs.entries()) if (y) c.set(i, allFixed(c, i));
}

export const allFixed = (c: CouplingContext, i: number): Axes => c.yDims(i).map(fixed);
