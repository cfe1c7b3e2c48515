/** @file Random cuts of every zoo graph of fixed size, proved against the masked original. */

import { test } from 'vitest';

import { NO_SHARED_DATA, sharedData } from '../helpers/shared-data.ts';
import { filledZooModel } from '../helpers/zoo.ts';
import { expectProvedCut } from '../workers/pruning/proved-cut.ts';

const fixed = (sharedData()?.zoo() ?? []).filter((entry) =>
  entry.inputs.every(({ shape }) => shape.every((d) => typeof d === 'number')),
);
if (fixed.length === 0) test.skip(`cuts of the zoo: ${NO_SHARED_DATA}`, () => {});

test.each(fixed.map((entry) => [entry.name, entry] as const))(
  '%s: a random cut is proved',
  async (_, entry) => {
    await expectProvedCut(filledZooModel(entry), 1);
  },
);
