/** @file Every augmentation of one picture, one line each, and which a task uses, in what order. */

import type { Dataset } from '../dataset.ts';
import { affine } from './affine.ts';
import { hsv } from './colours.ts';
import { crop } from './crop.ts';
import { flipHorizontal, flipVertical } from './flip.ts';
import { mosaic } from './mosaic.ts';
import type { Augmentation } from './scene.ts';

export const AUGMENTATIONS = {
  mosaic,
  affine,
  crop,
  flipHorizontal,
  flipVertical,
  hsv,
} satisfies Record<string, Augmentation>;

export type AugmentationName = keyof typeof AUGMENTATIONS;

const WHOLE_SCENE = ['mosaic', 'affine', 'flipHorizontal', 'flipVertical', 'hsv'] as const;

/** What follows what; MixUp comes after, on two finished pictures. */
export const RECIPES = {
  detect: WHOLE_SCENE,
  classify: ['crop', 'flipHorizontal', 'flipVertical', 'hsv'],
  generic: WHOLE_SCENE,
} as const satisfies Record<Dataset['task'], readonly AugmentationName[]>;
