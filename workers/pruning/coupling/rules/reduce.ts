/** @file Reductions: a sum or a norm does not miss zeros, other reductions do. */

import { intOf } from '../../../onnx/attributes.ts';
import { axisOf, range } from '../../../onnx/static-shapes.ts';
import type { Axis } from '../atoms.ts';
import { fixed } from '../axes.ts';
import { listOf } from '../constants.ts';
import type { Axes, CouplingContext, CouplingRule } from '../rule.ts';

/** Σ x, Σ |x|, Σ x², ‖x‖ and their logarithms. */
export const sum: CouplingRule = (c) => {
  const axes = reduced(c);
  for (const axis of axes) c.mixes(0, axis);
  c.set(0, without(c.x(0), axes, intOf(c.node, 'keepdims', 1) === 1));
};

/** Mean, extremum, product, log-sum-exp: a zero counts, or is counted. */
export const other: CouplingRule = (c) => {
  const axes = reduced(c);
  for (const axis of axes) c.block(c.x(0)[axis], `reduction over the axis by ${c.node.op}`);
  c.set(0, without(c.x(0), axes, intOf(c.node, 'keepdims', 1) === 1));
};

/** The place of an extremum. */
export const argument: CouplingRule = (c) => {
  const axis = axisOf(intOf(c.node, 'axis', 0), c.x(0).length);
  c.block(c.x(0)[axis], `${c.node.op} counts along it`);
  c.set(0, without(c.x(0), [axis], intOf(c.node, 'keepdims', 1) === 1));
};

/** Sums of all places before. */
export const cumSum: CouplingRule = (c) => {
  const axis = axisOf(listOf(c.node, 1, '')?.[0] ?? 0, c.x(0).length);
  c.mixes(0, axis);
  c.set(0, c.x(0));
};

/** The k largest. */
export const topK: CouplingRule = (c) => {
  const axis = axisOf(intOf(c.node, 'axis', -1), c.x(0).length);
  c.block(c.x(0)[axis], `${c.node.op} picks along it`);
  for (const i of c.node.outputs.keys())
    c.set(
      i,
      c.x(0).map((own, k): Axis => (k === axis ? fixed(c.yDims(i)[k]!) : own)),
    );
};

function reduced(c: CouplingContext): number[] {
  const rank = c.x(0).length;
  const axes = listOf(c.node, 1, 'axes') ?? [];
  if (axes.length > 0) return axes.map((a) => axisOf(a, rank));
  return intOf(c.node, 'noop_with_empty_axes', 0) === 1 ? [] : range(rank);
}

const without = (axes: Axes, gone: readonly number[], keep: boolean): Axes =>
  axes.flatMap((axis, i) => (gone.includes(i) ? (keep ? [fixed(1)] : []) : [axis]));
