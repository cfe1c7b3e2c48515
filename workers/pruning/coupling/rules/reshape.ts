/** @file The same numbers in another form. */

import { intOf, intsOf, stringOf } from '../../../onnx/attributes.ts';
import { axisOf, range } from '../../../onnx/static-shapes.ts';
import { reshapeGroups } from '../../../runtime/reshape-groups.ts';
import type { Axis } from '../atoms.ts';
import { fixed } from '../axes.ts';
import type { Axes, CouplingContext, CouplingRule } from '../rule.ts';
import { allFixed, unknown } from './unknown.ts';

/** Reshape, Flatten: axes merge and split in row-major order. */
export const reshape: CouplingRule = (c) => {
  const [from, to] = [c.xDims(0), c.yDims(0)];
  if ([...from, ...to].includes(0)) return unknown(c);
  c.set(0, reshaped(c, c.x(0), from, to));
};

export function reshaped(
  c: CouplingContext,
  axes: Axes,
  from: readonly number[],
  to: readonly number[],
): Axes {
  const result: Axis[] = to.map(fixed);
  for (const group of reshapeGroups(from, to)) {
    const [first, ...more] = group.from.map((i) => axes[i]!);
    if (first === undefined) continue;
    let rest = more.reduce((rows, columns) => c.merge(rows, columns), first);
    for (const [k, axis] of group.to.entries()) {
      if (k === group.to.length - 1) result[axis] = rest;
      else [result[axis], rest] = c.split(rest, to[axis]!);
    }
  }
  return result;
}

/** Squeeze, Unsqueeze: axes of size 1 come or go, the others keep their order. */
export const squeeze: CouplingRule = (c) => {
  const wide = c.x(0).filter((axis) => axis.length !== 1);
  c.set(
    0,
    c.yDims(0).map((d) => (d === 1 ? fixed(1) : wide.shift()!)),
  );
};

export const transpose: CouplingRule = (c) => {
  const x = c.x(0);
  const perm = intsOf(c.node, 'perm', range(x.length).reverse());
  c.set(
    0,
    perm.map((axis) => x[axis]!),
  );
};

/**
 * Blocks of b × b positions from b² channels each. As a reshape: DCR (b, b, C), CRD (C, b, b); the blocks stay, so the b²
 * channels of one go together.
 */
export const depthToSpace: CouplingRule = (c) => {
  const x = c.x(0);
  const area = intOf(c.node, 'blocksize', 1) ** 2;
  const crd = stringOf(c.node, 'mode', 'DCR') === 'CRD';
  const [rows, columns] = c.split(x[1]!, crd ? x[1]!.length / area : area);
  const [channels, blocks] = crd ? [rows, columns] : [columns, rows];
  c.block(blocks, `${c.node.op} makes positions of it`);
  c.set(0, [x[0]!, channels, ...allFixed(c, 0).slice(2)]);
};

/** The other way round: b² channels of each, ordered (b, b, C). */
export const spaceToDepth: CouplingRule = (c) => {
  const x = c.x(0);
  const area = intOf(c.node, 'blocksize', 1) ** 2;
  c.set(0, [x[0]!, c.merge(fixed(area), x[1]!), ...allFixed(c, 0).slice(2)]);
};

/** A 1 becomes as many as asked for; what it becomes may be cut where the others allow. */
export const expand: CouplingRule = (c) => {
  const [x, to] = [c.x(0), c.yDims(0)];
  c.set(
    0,
    to.map((d, i) => {
      const own = x[i - to.length + x.length];
      return own && own.length === d ? own : c.atoms.fresh(d);
    }),
  );
};

/** The axis, again and again. */
export const tile: CouplingRule = (c) => {
  const to = c.yDims(0);
  c.set(
    0,
    c.x(0).map((axis, i) => {
      const times = to[i]! / axis.length;
      if (times === 1) return axis;
      return axis.length === 1 ? c.atoms.fresh(times) : c.merge(fixed(times), axis);
    }),
  );
};

/** A triangle of the last two axes: their places are counted. */
export const trilu: CouplingRule = (c) => {
  for (const axis of c.x(0).slice(-2)) c.blockPositions(axis);
  c.set(0, c.x(0));
};

/** Axis on which an op with an `axis` attribute works. */
export const axisAt = (c: CouplingContext, fallback: number, rank = c.x(0).length): number =>
  axisOf(intOf(c.node, 'axis', fallback), rank);
