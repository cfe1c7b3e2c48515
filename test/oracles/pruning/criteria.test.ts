/** @file Importance criteria, channel compensation and weight masks against independent numbers. */

import { expect, test } from 'vitest';
import { NO_SHARED_DATA, oracleCases } from '../../helpers/shared-data.ts';
import { compensation } from './compensation.ts';
import { fisherLabelFree, taylorNetwork } from './gradient-scores.ts';
import { maskUnstructured, twoFour } from './masks.ts';
import { activationEnergy, fpgm, lamp, magnitude, taylorFirstOrder, taylorGate } from './scores.ts';

/** By family; the cases of `taylor` differ in what they give. */
const FAMILIES = {
  activation_energy: activationEnergy,
  compensation,
  fisher: fisherLabelFree,
  fpgm,
  lamp,
  magnitude,
  mask_2_4: twoFour,
  mask_unstructured: maskUnstructured,
  taylor: (data: object, folder: string) =>
    'model' in data
      ? taylorNetwork(data as never, folder)
      : 'activation' in data
        ? taylorGate(data as never)
        : taylorFirstOrder(data as never),
} as const;

const isCut = (family: unknown) => /^(cut|refuse)/.test(String(family));
const cases = oracleCases('pruning').filter((c) => !isCut(c.data['family']));
if (cases.length === 0) test.skip(`pruning criteria: ${NO_SHARED_DATA}`, () => {});

test.each(cases.map((c) => [c.name, c] as const))('pruning %s', async (_, { data, folder }) => {
  const check = FAMILIES[data['family'] as keyof typeof FAMILIES];
  expect(check, `no check for family '${data['family']}'`).toBeTypeOf('function');
  await check(data as never, folder);
});
