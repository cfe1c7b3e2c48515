/** @file Where an image lands in the model's input, and where a box of the input lies in the image. */

import type { Preprocess } from '../../src/contract/preprocess.ts';
import { roundHalfEven } from '../onnx/round.ts';

/**
 * tensor = image · scale + offset, per axis. The resized image has `width` × `height` pixels; its part that the input
 * shows begins at (−left, −top) where these are negative (center-crop), else there is a border (letterbox).
 */
export interface Geometry {
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly inputWidth: number;
  readonly inputHeight: number;
  readonly scaleX: number;
  readonly scaleY: number;
  /** Size of the whole resized image. */
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
}

/**
 *     letterbox          r = min(H/h, W/w), w′ = round(w·r), border split evenly: left = round((W − w′)/2 − 0.1)
 *     letterbox-topleft  the same r, w′ = ⌊w·r⌋, border right and below (YOLOX)
 *     stretch            w′ = W, h′ = H
 *     center-crop        r = max(H/h, W/w), w′ = round(w·r), the middle H × W of it
 *
 * @param image  [height, width] of the image, h × w
 * @param input  [height, width] of the model input, H × W
 */
export function place(
  resize: Preprocess['resize'],
  [h, w]: readonly [number, number],
  [H, W]: readonly [number, number],
): Geometry {
  const sizes = { imageWidth: w, imageHeight: h, inputWidth: W, inputHeight: H };
  if (resize === 'stretch')
    return { ...sizes, scaleX: W / w, scaleY: H / h, width: W, height: H, left: 0, top: 0 };

  const cover = resize === 'center-crop';
  const r = cover ? Math.max(H / h, W / w) : Math.min(H / h, W / w);
  const whole = resize === 'letterbox-topleft' ? Math.floor : roundHalfEven;
  const width = Math.max(1, whole(w * r));
  const height = Math.max(1, whole(h * r));
  return {
    ...sizes,
    scaleX: r,
    scaleY: r,
    width,
    height,
    ...corner(resize, W - width, H - height),
  };
}

function corner(
  resize: Preprocess['resize'],
  spareX: number,
  spareY: number,
): { left: number; top: number } {
  if (resize === 'letterbox-topleft') return { left: 0, top: 0 };
  if (resize === 'center-crop')
    return { left: 0 - roundHalfEven(-spareX / 2), top: 0 - roundHalfEven(-spareY / 2) };
  return {
    left: Math.max(0, roundHalfEven(spareX / 2 - 0.1)),
    top: Math.max(0, roundHalfEven(spareY / 2 - 0.1)),
  };
}

/** Corners x₁ y₁ x₂ y₂. */
export type Corners = readonly [x1: number, y1: number, x2: number, y2: number];

export const toInput = (g: Geometry, [x1, y1, x2, y2]: Corners): Corners => [
  x1 * g.scaleX + g.left,
  y1 * g.scaleY + g.top,
  x2 * g.scaleX + g.left,
  y2 * g.scaleY + g.top,
];

/** Back to the image's own pixels, clipped to the image. */
export function toImage(g: Geometry, [x1, y1, x2, y2]: Corners): Corners {
  const clip = (v: number, most: number) => Math.min(most, Math.max(0, v));
  return [
    clip((x1 - g.left) / g.scaleX, g.imageWidth),
    clip((y1 - g.top) / g.scaleY, g.imageHeight),
    clip((x2 - g.left) / g.scaleX, g.imageWidth),
    clip((y2 - g.top) / g.scaleY, g.imageHeight),
  ];
}
