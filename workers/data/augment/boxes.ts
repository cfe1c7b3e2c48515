/** @file Labels of a scene: boxes follow their images, cut at what is shown. */

import type { Corners } from '../geometry.ts';
import type { Row } from '../labels.ts';
import { mapCorners, type Placement, type Size } from './placement.ts';

export interface LabelBox {
  readonly class: number;
  readonly corners: Corners;
}

const LEAST_SIDE = 2;
const LEAST_SHARE = 0.1;

/**
 * The boxes of a placed image in pixels of the canvas, cut at its window and at the canvas.
 *
 * A box of which less than 2 pixels along a side, or less than a tenth of the area, is left is dropped: nothing in
 * the picture tells any more what it is, and a network that is asked for it learns to see things in borders.
 *
 * @param image size in the pixels that `place` maps
 */
export function placedBoxes(
  rows: readonly Row[],
  image: Size,
  place: Placement,
  canvas: Size,
): LabelBox[] {
  const [x1, y1, x2, y2] = place.window;
  const shown: Corners = [
    Math.max(0, x1),
    Math.max(0, y1),
    Math.min(canvas.width, x2),
    Math.min(canvas.height, y2),
  ];
  return rows.flatMap((row) => {
    const whole = mapCorners(place.x, place.y, cornersOf(row, image));
    const corners = cut(whole, shown);
    return isVisible(corners, whole) ? [{ class: row[0], corners }] : [];
  });
}

/** Corners in the image's pixels. */
const cornersOf = ([, cx, cy, w, h]: Row, { width, height }: Size): Corners => [
  (cx - w / 2) * width,
  (cy - h / 2) * height,
  (cx + w / 2) * width,
  (cy + h / 2) * height,
];

const cut = (box: Corners, by: Corners): Corners => [
  Math.max(box[0], by[0]),
  Math.max(box[1], by[1]),
  Math.min(box[2], by[2]),
  Math.min(box[3], by[3]),
];

function isVisible(left: Corners, whole: Corners): boolean {
  const [w, h] = [left[2] - left[0], left[3] - left[1]];
  const area = (whole[2] - whole[0]) * (whole[3] - whole[1]);
  return w >= LEAST_SIDE && h >= LEAST_SIDE && w * h >= LEAST_SHARE * area;
}
