/** @file In how many cuts a share is reached, and by which sizes the later ones go. */

import { expect, test } from 'vitest';
import { factorsOf } from '../../../workers/pruning/confirm.ts';
import { findGroups } from '../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../workers/pruning/coupling/prepare.ts';
import { cut } from '../../../workers/pruning/cut/cut.ts';
import { originalSizes } from '../../../workers/pruning/origins.ts';
import { roundsTo } from '../../../workers/pruning/schedule.ts';
import type { PruneSettings } from '../../../workers/pruning/settings.ts';
import { inferTypes } from '../../../workers/runtime/infer-types.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const settings: Pick<PruneSettings, 'rounds' | 'criterion' | 'compensate'> = {
  ...{ rounds: 'auto', criterion: 'fisher', compensate: 'patches' },
};
const samples = new Array(8).fill({ image: 'a.png' });

test.each([
  [1, {}, 1],
  [0.93, {}, 1],
  [0.9, {}, 2],
  [0.8, {}, 3],
  [0.7, {}, 5],
  [0.2, {}, 6],
  [0.7, { rounds: 2 }, 2],
  [0.7, { criterion: 'l2' }, 1],
  [0.7, { compensate: false }, 1],
] as const)('to %f with %j: %i rounds', (share, change, expected) => {
  const own = { ...settings, ...change } as PruneSettings;
  expect(roundsTo(share, own, { samples })).toBe(expected);
});

test('training after every round, and a lack of images, leave one round', () => {
  const own = settings as PruneSettings;
  const afterRound = () => Promise.reject(new Error('not called'));
  expect(roundsTo(0.5, own, { samples, afterRound })).toBe(1);
  expect(roundsTo(0.5, own, { samples: samples.slice(0, 1) })).toBe(1);
});

test('groups of a cut model are as large as they were', async () => {
  const model = await prepareForPruning(
    modelOf(
      `(float[1,3,8,8] X, float[6,3,1,1] A, float[4,3,1,1] B, float[2,10,1,1] C) => (float[1,2,8,8] Y) {
        P = Conv(X, A)
        Q = Conv(X, B)
        J = Concat<axis=1>(P, Q)
        Y = Conv(J, C) }`,
      {
        ...{ A: randomWeight([6, 3, 1, 1], 1), B: randomWeight([4, 3, 1, 1], 2) },
        C: randomWeight([2, 10, 1, 1], 3),
      },
    ),
  );
  const { groups } = findGroups(model);
  const kept = new Map(groups.map(({ id, size }) => [id, size === 6 ? [2, 5] : [1, 2, 3]]));
  const { model: pruned, report } = cut(model, groups, kept);
  await inferTypes(pruned);
  const sizeOf = originalSizes(groups, report);

  const after = findGroups(pruned).groups;

  expect(after.map(({ size }) => size)).toEqual([2, 3]);
  expect(after.map(sizeOf)).toEqual([6, 4]);
  expect(groups.map(originalSizes(groups, []))).toEqual([6, 4]);
});

test('what the loss says scales scores, and decides little where little is at stake', () => {
  // Said: 8 + 2; measured: 1 + 4, so 0.5 a point, and a mean rise of 2.5.
  expect(factorsOf([1, 4], [8, 2])).toEqual([3.5 / 6.5, 6.5 / 3.5]);
  expect(factorsOf([0, 10], [0, 10])).toEqual([1, 1]);
  expect(factorsOf([0, 0], [3, 4])).toEqual([1, 1]);
  expect(factorsOf([], [])).toEqual([]);
});
