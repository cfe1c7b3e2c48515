/** @file Axes as lists of atoms: joined, split and merged as reshapes do. */

import type { Node } from '../../onnx/graph.ts';
import { type Atoms, type Axis, FIXED } from './atoms.ts';

const kept = new Map<number, Axis>();

/** An axis of n places that all stay. */
export function fixed(n: number): Axis {
  const known = kept.get(n);
  if (known) return known;
  const axis = new Array<number>(n).fill(FIXED);
  kept.set(n, axis);
  return axis;
}

/** Whether an axis was made by `fixed`: quick where there is nothing to do. */
export const isFixed = (axis: Axis): boolean => kept.get(axis.length) === axis;

/** Let two axes of the same length stay and go together, place by place. */
export function tie(atoms: Atoms, a: Axis, b: Axis, node: Node): void {
  if (a === b) return;
  for (const [i, atom] of a.entries()) atoms.union(atom, b[i]!, node);
}

/** Rows × columns → one axis, row-major. */
export function merge(atoms: Atoms, rows: Axis, columns: Axis): Axis {
  if (isFixed(rows) && isFixed(columns)) return fixed(rows.length * columns.length);
  if (columns.length === 1) return rows;
  if (rows.length === 1) return columns;
  return rows.flatMap((a) => columns.map((b) => atoms.pair(a, b)));
}

/**
 * One axis → rows × columns, row-major: a place goes with its row and with its column.
 *
 * Where whole tensors make up a row (two branches joined before a shuffle), rows cannot go: places of one column are tied.
 */
export function split(atoms: Atoms, axis: Axis, rows: number, node: Node): readonly [Axis, Axis] {
  const columns = axis.length / rows;
  if (rows === 1) return [fixed(1), axis];
  if (columns === 1) return [axis, fixed(1)];
  if (isFixed(axis)) return [fixed(rows), fixed(columns)];
  const at = (i: number, j: number) => atoms.find(axis[i * columns + j]!);
  const each = (f: (i: number, j: number) => boolean) =>
    axis.every((_, k) => f(Math.floor(k / columns), k % columns));
  if (each((i, j) => at(i, j) === at(i, 0)))
    return [Array.from({ length: rows }, (_, i) => at(i, 0)), fixed(columns)];
  if (each((i, j) => at(i, j) === at(0, j))) return [fixed(rows), axis.slice(0, columns)];
  if (atoms.coversFamily(axis.slice(0, columns))) {
    for (const [k, atom] of axis.entries()) atoms.union(axis[k % columns]!, atom, node);
    return [fixed(rows), axis.slice(0, columns)];
  }
  const [a, b] = [atoms.fresh(rows), atoms.fresh(columns)];
  for (const [k, atom] of axis.entries())
    atoms.union(atoms.pair(a[Math.floor(k / columns)]!, b[k % columns]!), atom, node);
  return [a, b];
}
