import { Type } from 'typebox';
import { expect, test } from 'vitest';

import { schemaErrors, withDefaults } from '../../../../src/contract/schema-errors.ts';
import { AugmentOption, augmentOptions } from '../../../../workers/data/augment/options.ts';

const STAGE = Type.Object({ augment: AugmentOption });

const DEFAULTS = {
  flipHorizontal: 0.5,
  flipVertical: 0,
  scale: 0.5,
  translate: 0.1,
  hue: 0.015,
  saturation: 0.7,
  value: 0.4,
  mosaic: 1,
  closeMosaic: 0.1,
  mixup: 0,
};

test.each([
  ['not stated', {}, DEFAULTS],
  ['a part stated', { augment: { hue: 0.2 } }, { ...DEFAULTS, hue: 0.2 }],
  ['true', { augment: true }, DEFAULTS],
  ['false', { augment: false }, false],
])('%s: what is planned is what is done', (_, options, expected) => {
  const planned = withDefaults(STAGE, options as { augment: boolean });

  expect(augmentOptions(planned.augment)).toEqual(expected);
  if (planned.augment !== true) expect(planned.augment).toEqual(expected);
});

test.each([
  [{ hue: 2 }, '/augment/hue', 'is 2; valid is a number ≥ 0 and ≤ 0.5'],
  [{ hues: 0.1 }, '/augment/hues', "did you mean 'hue'?"],
  [3, '/augment', 'is 3; valid is an object or a boolean'],
])('%j is refused by name', (augment, pointer, detail) => {
  const errors = schemaErrors(STAGE, { augment });

  expect(errors.map((e) => e.pointer)).toEqual([pointer]);
  expect(errors[0]!.detail).toContain(detail);
});
