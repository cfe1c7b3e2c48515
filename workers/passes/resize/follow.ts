/** @file What the axes of a node's results are made of, given those of its inputs. */

import { intOf, intsOf } from '../../onnx/attributes.ts';
import type { Node } from '../../onnx/graph.ts';
import { type Axis, atom, axisSize, isChanged, sizesOf, sliceAxis } from './axes.ts';

export interface Sizes {
  readonly old: readonly number[];
  readonly now: readonly number[];
}

type Axes = readonly Axis[];

/** Op → axes of output `index`; undefined: by size (below). */
type Follow = (
  node: Node,
  inputs: readonly (Axes | undefined)[],
  out: Sizes,
  index: number,
) => Axes | undefined;

const positive = (axis: number, rank: number) => (axis + rank) % rank;

const transpose: Follow = (node, [x]) =>
  x && intsOf(node, 'perm', [...x.keys()].reverse()).map((i) => x[i]!);

const concat: Follow = (node, inputs, { old }) => {
  const axis = positive(intOf(node, 'axis', 0), old.length);
  return old.map((_, k) =>
    k === axis
      ? inputs.flatMap((x) => x?.[axis] ?? [])
      : (mostTelling(inputs.map((x) => x?.[k])) ?? atom(1, 1)),
  );
};

const mostTelling = (axes: readonly (Axis | undefined)[]): Axis | undefined =>
  axes.filter((a) => a !== undefined).sort((a, b) => detail(b) - detail(a))[0];

const detail = (axis: Axis) => axis.reduce((n, s) => n + s.length, 0);

/** Batch and rows from the left, columns from the right. */
const matMul: Follow = (_node, [a, b], { old }) => {
  if (!a || !b || a.length < 2 || b.length < 2) return undefined;
  return old.map((_, k) => {
    const back = old.length - 1 - k;
    if (back === 0) return b.at(-1)!;
    if (back === 1) return a.at(-2)!;
    return mostTelling([a.at(-1 - back), b.at(-1 - back)])!;
  });
};

const split: Follow = (node, [x], { old, now }, index) => {
  if (!x) return undefined;
  const axis = positive(intOf(node, 'axis', 0), old.length);
  const sizes = node.outputs.length;
  // Equal parts, the common case; others are cut at joints by the caller's rule and matched by size.
  const start = axisSize(x[axis]!, 'old') === old[axis]! * sizes ? index * old[axis]! : undefined;
  return old.map((d, k) => {
    if (k !== axis) return x[k]!;
    return start === undefined ? atom(d, now[k]!) : sliceAxis(x[axis]!, start, start + d, now[k]!);
  });
};

const FOLLOW: Readonly<Record<string, Follow>> = {
  Concat: concat,
  MatMul: matMul,
  Split: split,
  Transpose: transpose,
};

/**
 * Axes of output `index`. Ops without a line of their own: an axis that kept its size pair stands where it stood from the
 * right, else wherever the pair is found; other changed axes are new.
 */
export function followAxes(
  node: Node,
  inputs: readonly (Axes | undefined)[],
  out: Sizes,
  index: number,
): Axes {
  const own = FOLLOW[node.op]?.(node, inputs, out, index);
  if (own && `${sizesOf(own, 'old')}` === `${out.old}` && `${sizesOf(own, 'now')}` === `${out.now}`)
    return own;
  return out.old.map((old, k) => {
    const now = out.now[k]!;
    const fits = (axis: Axis | undefined): axis is Axis =>
      axis !== undefined && axisSize(axis, 'old') === old && axisSize(axis, 'now') === now;
    const back = k - out.old.length;
    const same = mostTelling(inputs.map((x) => x?.at(back)).filter(fits));
    if (same) return same;
    if (old === now) return atom(old, now);
    const other = inputs.flatMap((x) => x ?? []).filter((axis) => fits(axis) && isChanged(axis));
    return mostTelling(other) ?? atom(old, now);
  });
}
