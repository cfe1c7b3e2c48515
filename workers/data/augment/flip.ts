/** @file Mirroring. */

import { type AxisMap, move } from './placement.ts';
import { type Augmentation, eachTile } from './scene.ts';

const SAME: AxisMap = { scale: 1, shift: 0 };
const mirror = (side: number): AxisMap => ({ scale: -1, shift: side });

/** x′ = W − x for a share of the pictures. */
export const flipHorizontal: Augmentation = (scene, { options, rng }) =>
  rng.uniform() < options.flipHorizontal
    ? eachTile(scene, (place) => move(place, mirror(scene.canvas.width), SAME))
    : scene;

/** y′ = H − y for a share of the pictures. */
export const flipVertical: Augmentation = (scene, { options, rng }) =>
  rng.uniform() < options.flipVertical
    ? eachTile(scene, (place) => move(place, SAME, mirror(scene.canvas.height)))
    : scene;
