import { expect, test } from 'vitest';

import { drawImage } from '../../../../workers/data/augment/draw.ts';
import { EVERYWHERE, type Placement } from '../../../../workers/data/augment/placement.ts';
import type { Image } from '../../../../workers/data/decode.ts';
import { random } from '../../../../workers/runtime/random.ts';

const PAD = 114;

function noise(width: number, height: number): Image {
  const rng = random(5);
  return {
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, () => rng.below(256)),
  };
}

const blank = (width: number, height: number): Image => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(PAD),
});

/** What one channel of one canvas pixel should be, straight from the definition, in floating point. */
function expected(image: Image, place: Placement, i: number, j: number, c: number): number {
  const [cx, cy] = [i + 0.5, j + 0.5];
  const [sx, sy] = [(cx - place.x.shift) / place.x.scale, (cy - place.y.shift) / place.y.scale];
  const [x1, y1, x2, y2] = place.window;
  const inside = sx >= 0 && sx < image.width && sy >= 0 && sy < image.height;
  if (!inside || cx < x1 || cx >= x2 || cy < y1 || cy >= y2) return PAD;
  const clamp = (v: number, most: number) => Math.min(most, Math.max(0, v));
  const [px, py] = [clamp(sx - 0.5, image.width - 1), clamp(sy - 0.5, image.height - 1)];
  const at = (x: number, y: number) =>
    image.data[(clamp(y, image.height - 1) * image.width + clamp(x, image.width - 1)) * 3 + c]!;
  const [x, y] = [Math.floor(px), Math.floor(py)];
  const [fx, fy] = [px - x, py - y];
  const row = (k: number) => at(x, k) * (1 - fx) + at(x + 1, k) * fx;
  return row(y) * (1 - fy) + row(y + 1) * fy;
}

test.each<[string, [number, number], [number, number], Placement['window']]>([
  ['as it is', [1, 0], [1, 0], EVERYWHERE],
  ['shifted by whole pixels', [1, 5], [1, -3], EVERYWHERE],
  ['shifted by parts of a pixel', [1, 3.3], [1, 2.71], EVERYWHERE],
  ['enlarged', [1.7, -4.2], [2.3, -9.1], EVERYWHERE],
  ['reduced', [0.37, 6.6], [0.61, 2.2], EVERYWHERE],
  ['mirrored', [-1, 24], [-0.8, 21.4], EVERYWHERE],
  ['in a window', [1.3, 0], [1.3, 0], [4.6, 3.2, 17.5, 11.4]],
  ['out of sight', [1, 100], [1, 0], EVERYWHERE],
])('%s: every pixel as defined', (_, x, y, window) => {
  const image = noise(24, 17);
  const place = { x: { scale: x[0], shift: x[1] }, y: { scale: y[0], shift: y[1] }, window };
  const canvas = blank(31, 22);
  drawImage(canvas, image, place);

  const worst = [...canvas.data].map((value, k) => {
    const pixel = Math.floor(k / 3);
    return Math.abs(value - expected(image, place, pixel % 31, Math.floor(pixel / 31), k % 3));
  });
  expect(Math.max(...worst)).toBeLessThan(0.7);
});

test('two windows that meet leave no seam and do not overlap', () => {
  const [black, white] = [0, 255].map((v) => ({
    ...noise(40, 40),
    data: new Uint8Array(4800).fill(v),
  }));
  const canvas = blank(20, 20);
  const map = { scale: 1, shift: -3.2 };
  drawImage(canvas, black!, { x: map, y: map, window: [-Infinity, -Infinity, 8.4, Infinity] });
  drawImage(canvas, white!, { x: map, y: map, window: [8.4, -Infinity, Infinity, Infinity] });

  expect([...canvas.data.subarray(0, 60)]).toEqual([...Array(24).fill(0), ...Array(36).fill(255)]);
});
