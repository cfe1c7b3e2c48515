/** @file Axes put together and taken apart. */

import { intOf, stringOf } from '../../../onnx/attributes.ts';
import { axisOf } from '../../../onnx/static-shapes.ts';
import type { Axis } from '../atoms.ts';
import { fixed } from '../axes.ts';
import { listOf } from '../constants.ts';
import type { CouplingContext, CouplingRule } from '../rule.ts';
import { axisAt } from './reshape.ts';
import { unknown } from './unknown.ts';

export const concat: CouplingRule = (c) => {
  const parts = Array.from({ length: c.inputs }, (_, i) => c.x(i));
  const joined = axisAt(c, 0);
  c.set(
    0,
    parts[0]!.map((first, axis) => {
      if (axis === joined) return parts.flatMap((part) => part[axis]!);
      for (const part of parts) c.tie(first, part[axis]!);
      return first;
    }),
  );
};

export const splitRule: CouplingRule = (c) => {
  const [x, axis] = [c.x(0), axisAt(c, 0)];
  let start = 0;
  for (const [i, y] of c.node.outputs.entries()) {
    const size = y ? c.yDims(i)[axis]! : (listOf(c.node, 1, 'split')?.[i] ?? 0);
    const piece = x[axis]!.slice(start, start + size);
    if (y)
      c.set(
        i,
        x.map((own, k) => (k === axis ? piece : own)),
      );
    start += size;
  }
};

/** x[start : end : step]: bounds follow where the step is 1. */
export const slice: CouplingRule = (c) => {
  const bounds = sliceBounds(c.node, c.xDims(0));
  if (!bounds) return unknown(c, 'Slice takes its bounds at run time');
  c.set(
    0,
    c.x(0).map((own, axis) => {
      const found = bounds.find((b) => b.axis === axis);
      if (!found) return own;
      if (found.step === 1) return own.slice(found.start, found.end);
      c.block(own, 'Slice takes every second place, or goes backwards');
      return fixed(c.yDims(0)[axis]!);
    }),
  );
};

export interface Bound {
  readonly axis: number;
  /** Place in the list of bounds. */
  readonly at: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Bounds as places 0 … n; undefined: computed at run time. */
export function sliceBounds(
  node: CouplingContext['node'],
  dims: readonly number[],
): Bound[] | undefined {
  const [starts, ends] = [listOf(node, 1, 'starts'), listOf(node, 2, 'ends')];
  if (!starts || !ends || (node.inputs[3] && !node.inputs[3].constant)) return undefined;
  const axes = listOf(node, 3, 'axes') ?? starts.map((_, i) => i);
  const steps = listOf(node, 4, 'steps') ?? starts.map(() => 1);
  return axes.map((a, at) => {
    const axis = axisOf(a, dims.length);
    const place = (p: number) => Math.min(Math.max(p < 0 ? p + dims[axis]! : p, 0), dims[axis]!);
    return { axis, at, start: place(starts[at]!), end: place(ends[at]!), step: steps[at]! };
  });
}

/** New places around an axis are zeros of their own: they stay. */
export const pad: CouplingRule = (c) => {
  const x = c.x(0);
  const pads = listOf(c.node, 1, 'pads');
  if (!pads) return unknown(c, 'Pad takes its amounts at run time');
  const axes = (listOf(c.node, 3, '') ?? x.map((_, i) => i)).map((a) => axisOf(a, x.length));
  const constant = stringOf(c.node, 'mode', 'constant') === 'constant';
  c.set(
    0,
    x.map((own, axis) => {
      const at = axes.indexOf(axis);
      const [before, after] = at < 0 ? [0, 0] : [pads[at]!, pads[at + axes.length]!];
      return before === 0 && after === 0 ? own : padded(c, own, before, after, constant);
    }),
  );
};

function padded(
  c: CouplingContext,
  own: Axis,
  before: number,
  after: number,
  constant: boolean,
): Axis {
  if (constant && before >= 0 && after >= 0) return [...fixed(before), ...own, ...fixed(after)];
  c.block(own, `Pad reflects or crops it`);
  return fixed(own.length + before + after);
}

/** Constant indices along an axis: those that are left are counted anew. */
export const gather: CouplingRule = (c) => {
  const x = c.x(0);
  const axis = axisAt(c, 0);
  const indices = c.node.inputs[1]?.constant ? listOf(c.node, 1, '') : undefined;
  const form = c.xDims(1);
  const picked = indices?.map((i) => x[axis]!.at(i)!);
  if (!picked) c.block(x[axis], 'Gather takes its indices at run time');
  // Places of a table of several axes, and a single place, are all wanted.
  else if (form.every((d) => d === 1) || form.filter((d) => d !== 1).length > 1)
    c.block(picked, 'Gather takes single places of it');
  const among = picked ? form.map((d) => (d === picked.length ? picked : fixed(d))) : c.x(1);
  c.set(0, [...x.slice(0, axis), ...among, ...x.slice(axis + 1)]);
};

/** Quantization: the scale of each channel follows. */
export const perChannel: CouplingRule = (c) => {
  const x = c.x(0);
  const axis = axisOf(intOf(c.node, 'axis', 1), x.length);
  for (const i of [1, 2]) {
    const own = c.has(i) ? c.x(i)[0] : undefined;
    if (own && own.length > 1) c.tie(x[axis]!, own);
  }
  c.set(0, x);
};
