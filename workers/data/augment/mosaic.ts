/** @file Mosaic: four images around one point. */

import { EVERYWHERE } from './placement.ts';
import type { Augmentation, Tile } from './scene.ts';

/**
 * Four images meet with a corner each at a point of a canvas of twice the input's size; the point is drawn from the
 * canvas's middle half. More objects and more contexts per picture, and objects cut as at a border.
 *
 * A scene of fewer than four images stays as it is. Source: Bochkovskiy et al., YOLOv4, 2020, section 3.3.
 */
export const mosaic: Augmentation = (scene, { rng, input }) => {
  if (scene.tiles.length < 4) return scene;
  const cx = input.width * (0.5 + rng.uniform());
  const cy = input.height * (0.5 + rng.uniform());
  const tiles = scene.tiles.map((tile, i) => quadrant(tile, i % 2 === 1, i >= 2, cx, cy));
  return { ...scene, tiles, canvas: { width: 2 * input.width, height: 2 * input.height } };
};

function quadrant(tile: Tile, right: boolean, below: boolean, cx: number, cy: number): Tile {
  const { image, fit } = tile.source;
  const [x1, y1, x2, y2] = EVERYWHERE;
  return {
    ...tile,
    place: {
      x: { scale: fit.width / image.width, shift: right ? cx : cx - fit.width },
      y: { scale: fit.height / image.height, shift: below ? cy : cy - fit.height },
      window: [right ? cx : x1, below ? cy : y1, right ? x2 : cx, below ? y2 : cy],
    },
  };
}
