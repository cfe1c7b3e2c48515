/** @file Where images land on a canvas: one map per axis, so that any number of steps cost one interpolation. */

import type { Corners } from '../geometry.ts';

/** x on the canvas = scale · x in the image + shift; scale < 0 mirrors. Pixel i covers i … i + 1. */
export interface AxisMap {
  readonly scale: number;
  readonly shift: number;
}

export interface Placement {
  readonly x: AxisMap;
  readonly y: AxisMap;
  /** The part of the canvas that this image may fill, in pixels of the canvas. */
  readonly window: Corners;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const EVERYWHERE: Corners = [-Infinity, -Infinity, Infinity, Infinity];

/** What `inner` and then `outer` do. */
export const chain = (inner: AxisMap, outer: AxisMap): AxisMap => ({
  scale: outer.scale * inner.scale,
  shift: outer.scale * inner.shift + outer.shift,
});

/** Both ends of a stretch of an axis, mapped, the lesser first. */
export function mapRange({ scale, shift }: AxisMap, from: number, to: number): [number, number] {
  const [a, b] = [from * scale + shift, to * scale + shift];
  return a <= b ? [a, b] : [b, a];
}

export function mapCorners(x: AxisMap, y: AxisMap, [x1, y1, x2, y2]: Corners): Corners {
  const [left, right] = mapRange(x, x1, x2);
  const [top, bottom] = mapRange(y, y1, y2);
  return [left, top, right, bottom];
}

/** A placement after a further map of the whole canvas. */
export const move = (p: Placement, x: AxisMap, y: AxisMap): Placement => ({
  x: chain(p.x, x),
  y: chain(p.y, y),
  window: mapCorners(x, y, p.window),
});
