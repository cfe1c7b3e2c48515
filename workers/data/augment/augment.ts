/** @file Decoded images and their labels to one augmented picture of the input's size. */

import type { Dataset } from '../dataset.ts';
import type { Image } from '../decode.ts';
import { type LabelBox, placedBoxes } from './boxes.ts';
import { shiftColours } from './colours.ts';
import { drawImage } from './draw.ts';
import { plainScene } from './fit.ts';
import { AUGMENTATIONS, RECIPES } from './registry.ts';
import type { Draw, Scene, Source } from './scene.ts';

export interface Picture {
  /** RGB rows, the input's size. */
  readonly image: Image;
  /** In the input's pixels. */
  readonly boxes: readonly LabelBox[];
}

/**
 * @param sources one image, or four for a mosaic; the first is the one whose turn it is
 * @param pad     byte where no image is
 * @param memory  for the pixels: 3 · height · width bytes
 */
export function augment(
  task: Dataset['task'],
  sources: readonly Source[],
  draw: Draw,
  pad: number,
  memory?: Uint8Array,
): Picture {
  const scene = RECIPES[task].reduce<Scene>(
    (before, name) => AUGMENTATIONS[name](before, draw),
    plainScene(sources, draw.input),
  );
  return render(scene, pad, memory);
}

/** Draw a scene whose canvas has come to the input's size. */
export function render(
  { tiles, canvas, colours }: Scene,
  pad: number,
  memory?: Uint8Array,
): Picture {
  const { width, height } = canvas;
  const data = (memory ?? new Uint8Array(width * height * 3)).fill(pad);
  const image = { width, height, data };
  for (const { source, place } of tiles) drawImage(image, source.image, place);
  for (const shift of colours) shiftColours(data, shift);
  const boxes = tiles.flatMap(({ source, place }) =>
    placedBoxes(source.rows, source.image, place, canvas),
  );
  return { image, boxes };
}
