/** @file Scaling about the centre and shifting: one map for the whole canvas. */

import { move } from './placement.ts';
import { type Augmentation, around, eachTile } from './scene.ts';

/**
 * x′ = s·(x − X/2) + W/2 + t, likewise y: the middle of the canvas, X wide, goes to the middle of the input, W wide.
 * s is drawn from 1 − scale … 1 + scale for both axes, t from ± translate·W for each.
 */
export const affine: Augmentation = (scene, { options, rng, input }) => {
  const scale = 1 + around(rng, options.scale);
  const [tx, ty] = [around(rng, options.translate), around(rng, options.translate)];
  const axis = (from: number, to: number, share: number) => ({
    scale,
    shift: to / 2 + share * to - (scale * from) / 2,
  });
  const x = axis(scene.canvas.width, input.width, tx);
  const y = axis(scene.canvas.height, input.height, ty);
  return { ...eachTile(scene, (place) => move(place, x, y)), canvas: input };
};
