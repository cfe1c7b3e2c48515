/**
 * @file What the sizes of a tensor's axes are made of, before and after a change of the input shape.
 *
 * An axis is a sum of segments (Concat adds, Split cuts), a segment a product of factors (Reshape merges and splits). An
 * anchor axis of 2100 is 40·40 + 20·20 + 10·10; at another input size each factor has another size, and the axis follows.
 */

import { ServiceError } from '../../../src/contract/errors.ts';

/** One size before and after. */
export interface Factor {
  readonly old: number;
  readonly now: number;
}

export type Segment = readonly Factor[];
export type Axis = readonly Segment[];

export const atom = (old: number, now: number): Axis => [[{ old, now }]];

const product = (segment: Segment, of: 'old' | 'now') => segment.reduce((n, f) => n * f[of], 1);

export const segmentSize = product;

export const axisSize = (axis: Axis, of: 'old' | 'now'): number =>
  axis.reduce((n, segment) => n + product(segment, of), 0);

/** Whether any part of the axis has another size now. */
export const isChanged = (axis: Axis): boolean =>
  axis.some((segment) => segment.some((f) => f.old !== f.now));

export const sizesOf = (axes: readonly Axis[], of: 'old' | 'now'): number[] =>
  axes.map((axis) => axisSize(axis, of));

/** Refuse the change of shape, naming what stands in its way. */
export function refuse(where: string, why: string): never {
  throw new ServiceError('INPUT_SHAPE_UNSUPPORTED', { where, why });
}

/**
 * Where an index of the old axis lies on the new one, if it is a joint of segments; undefined inside of a segment
 * that changed. Inside of an unchanged segment it keeps its distance from the joint.
 */
export function mapIndex(axis: Axis, index: number): number | undefined {
  let [old, now] = [0, 0];
  for (const segment of axis) {
    if (index === old) return now;
    const size = product(segment, 'old');
    if (index < old + size)
      return segment.every((f) => f.old === f.now) ? now + index - old : undefined;
    old += size;
    now += product(segment, 'now');
  }
  return index === old ? now : undefined;
}

/** The segments between two old indices, where both are joints; else one piece of the given sizes. */
export function sliceAxis(axis: Axis, start: number, end: number, now: number): Axis {
  let at = 0;
  const taken: Segment[] = [];
  for (const segment of axis) {
    const size = product(segment, 'old');
    if (at >= start && at + size <= end) taken.push(segment);
    at += size;
  }
  const found = axisSize(taken, 'old') === end - start && axisSize(taken, 'now') === now;
  return found && taken.length > 0 ? taken : atom(end - start, now);
}
