/** @file What augmentation may do to training images: part of the options of every stage that trains. */

import { type Static, Type } from 'typebox';

import { withDefaults } from '../../../src/contract/schema-errors.ts';

const share = (value: number, description: string) =>
  Type.Number({ minimum: 0, maximum: 1, default: value, description });

export const AugmentOptions = Type.Object(
  {
    flipHorizontal: share(0.5, 'Share of images mirrored left to right, 0 to 1.'),
    flipVertical: share(0, 'Share of images mirrored top to bottom, 0 to 1.'),
    scale: Type.Number({
      minimum: 0,
      maximum: 0.9,
      default: 0.5,
      description:
        'detect: size is multiplied by 1 − scale to 1 + scale. classify: a crop of 1 − scale to 1 of the image area is shown.',
    }),
    translate: share(0.1, 'Largest shift along each axis, as a share of the input side.'),
    hue: Type.Number({
      minimum: 0,
      maximum: 0.5,
      default: 0.015,
      description: 'Largest turn of the hue, as a share of the colour circle.',
    }),
    saturation: share(0.7, 'Saturation is multiplied by 1 − this to 1 + this.'),
    value: share(0.4, 'Brightness (the V of HSV) is multiplied by 1 − this to 1 + this.'),
    mosaic: share(1, 'Share of images joined with three others, 0 to 1. Not for classifiers.'),
    closeMosaic: share(0.1, 'Last share of the run that has no mosaic, 0 to 1.'),
    mixup: share(
      0,
      'Classifiers: α of MixUp, whose weights are drawn from Beta(α, α). 0: no MixUp.',
    ),
  },
  { additionalProperties: false },
);
export type AugmentOptions = Static<typeof AugmentOptions>;

/** The option of a stage: a part of AugmentOptions, true for the defaults, or false. */
export const AugmentOption = Type.Unsafe<boolean | Partial<AugmentOptions>>({
  // Not a union: messages about an option inside it, and its defaults, need no alternative to be chosen.
  ...AugmentOptions,
  type: ['object', 'boolean'],
  required: [],
  default: {},
  description:
    'What is changed in training images, each time anew. false: images as inference sees them.',
});

/** @param option as planned or as written: a part of the options becomes all of them */
export const augmentOptions = (
  option: boolean | Partial<AugmentOptions>,
): AugmentOptions | false =>
  option === false
    ? false
    : withDefaults<AugmentOptions>(
        AugmentOptions,
        (option === true ? {} : option) as AugmentOptions,
      );
