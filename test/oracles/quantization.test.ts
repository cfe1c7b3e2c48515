/** @file Quantization against independent numbers: rounding, calibrators, biases, SQNR, AdaRound, LSQ, STE, QDQ graphs. */

import { expect, test } from 'vitest';
import { NO_SHARED_DATA, oracleCases } from '../helpers/shared-data.ts';
import { FAMILIES } from './quantization/registry.ts';

const cases = oracleCases('quantization');
if (cases.length === 0) test.skip(`quantization: ${NO_SHARED_DATA}`, () => {});

test.each(cases.map((c) => [c.name, c] as const))(
  'quantization %s',
  async (_, { data, folder }) => {
    const check = FAMILIES[data['family'] as keyof typeof FAMILIES];
    expect(check, `no check for family '${data['family']}'`).toBeTypeOf('function');
    await check(data as never, folder);
  },
);
