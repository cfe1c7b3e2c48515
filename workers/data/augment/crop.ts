/** @file Random crops for classifiers, brought to the input's size. */

import { move, type Size } from './placement.ts';
import { type Augmentation, eachTile } from './scene.ts';

/** Aspect of a crop against the input's own, as a factor either way. */
const ASPECT = 4 / 3;
const TRIES = 10;

/**
 * Random-resized crop: a part of 1 − scale … 1 of the image's area, of an aspect 3/4 … 4/3 times the input's, anywhere
 * in the image, stretched to the input. Where no such part fits in ten tries, the largest of the input's aspect is
 * shown.
 *
 * Source: Szegedy et al., Going deeper with convolutions, 2015, section 6.
 */
export const crop: Augmentation = (scene, { options, rng, input }) => {
  const [tile] = scene.tiles;
  if (tile === undefined) return scene;
  const { fit } = tile.source;
  const part = drawPart(fit, input, options.scale, rng.uniform);
  const left = fit.left + rng.uniform() * (fit.width - part.width);
  const top = fit.top + rng.uniform() * (fit.height - part.height);
  const axis = (side: number, shown: number, corner: number) => ({
    scale: side / shown,
    shift: (-corner * side) / shown,
  });
  const x = axis(input.width, part.width, left);
  const y = axis(input.height, part.height, top);
  return { ...eachTile(scene, (place) => move(place, x, y)), canvas: input };
};

function drawPart(whole: Size, input: Size, scale: number, uniform: () => number): Size {
  const plain = input.width / input.height;
  for (let i = 0; i < TRIES; i++) {
    const area = whole.width * whole.height * (1 - scale * uniform());
    const aspect = plain * ASPECT ** (2 * uniform() - 1);
    const part = { width: Math.sqrt(area * aspect), height: Math.sqrt(area / aspect) };
    if (part.width <= whole.width && part.height <= whole.height) return part;
  }
  const height = Math.min(whole.height, whole.width / plain);
  return { width: height * plain, height };
}
