/** @file A training picture in the making: placed images that are not drawn yet, their labels, their colours. */

import type { Random } from '../../runtime/random.ts';
import type { Image } from '../decode.ts';
import type { Row } from '../labels.ts';
import type { ColourShift } from './colours.ts';
import type { AugmentOptions } from './options.ts';
import type { Placement, Size } from './placement.ts';

/** An image with its labels, and where preprocessing without augmentation puts it in the input. */
export interface Source {
  readonly image: Image;
  readonly rows: readonly Row[];
  /** Size of the whole image in the input's pixels, and its corner there. */
  readonly fit: Size & { readonly left: number; readonly top: number };
}

export interface Tile {
  readonly source: Source;
  readonly place: Placement;
}

export interface Scene {
  readonly tiles: readonly Tile[];
  /** The canvas that placements speak of; `affine` and `crop` bring it to the input's size. */
  readonly canvas: Size;
  readonly colours: readonly ColourShift[];
}

export interface Draw {
  readonly options: AugmentOptions;
  readonly rng: Random;
  /** The model input's size. */
  readonly input: Size;
}

/** One augmentation: draws its own chances, leaves the scene that it is given as it is. */
export type Augmentation = (scene: Scene, draw: Draw) => Scene;

/** A number between −most and most. */
export const around = (rng: Random, most: number): number => (2 * rng.uniform() - 1) * most;

/** Change every placement of a scene. */
export const eachTile = (scene: Scene, change: (place: Placement) => Placement): Scene => ({
  ...scene,
  tiles: scene.tiles.map((tile) => ({ ...tile, place: change(tile.place) })),
});
