/** @file When the tune images join, and what is kept afterwards. */

import { describe, expect, test } from 'vitest';

import { type Judged, Refit } from '../../../workers/training/refit.ts';

const LATE: Judged = { share: 0.7, before: 0.2, best: 0.5, tune: 0.5 };

describe('refit', () => {
  test.each<[string, boolean, Partial<Judged>, boolean]>([
    ['late in a run that gained', true, {}, true],
    ['a little below the best', true, { tune: 0.48 }, true],
    ['switched off', false, {}, false],
    ['too early', true, { share: 0.5 }, false],
    ['at the end', true, { share: 1 }, false],
    ['nothing gained', true, { before: 0.5 }, false],
    ['gained and lost again', true, { tune: 0.4 }, false],
  ])('%s', (_, enabled, changed, joins) => {
    const refit = new Refit(enabled);
    expect(refit.joins(10, { ...LATE, ...changed })).toBe(joins);
    expect(refit.joined).toEqual(joins ? { step: 10, metric: changed.tune ?? 0.5 } : undefined);
  });

  test('joins once', () => {
    const refit = new Refit(true);
    expect([refit.joins(10, LATE), refit.joins(20, LATE)]).toEqual([true, false]);
    expect(refit.joined?.step).toBe(10);
  });

  test('before: the better is kept; after: the later, unless worse than when they joined', () => {
    const refit = new Refit(true);
    expect([refit.better(0.5, 0.5), refit.better(0.51, 0.5)]).toEqual([false, true]);
    refit.joins(10, { ...LATE, tune: 0.48 });
    expect([refit.better(0.47, 0.5), refit.better(0.48, 0.5)]).toEqual([false, true]);
  });
});
