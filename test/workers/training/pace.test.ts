/** @file Steps count where steps are given; where minutes are, the clock does, whatever was planned. */

import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';

import { Pace } from '../../../workers/training/pace.ts';

test('steps: exact, never planned anew', () => {
  const pace = new Pace({ steps: 40 }, 40, 1000);
  expect([0, 10, 40, 50].map((s) => pace.done(s))).toEqual([0, 0.25, 1, 1]);
  expect([pace.replanned(10), pace.total]).toEqual([false, 40]);
});

test('minutes: half of them over after 30 of 40 expected steps makes 60', () => {
  const pace = new Pace({ minutes: 10 }, 40, 300);
  expect(pace.done(30)).toBeCloseTo(0.5, 2);
  expect([pace.replanned(30), pace.total]).toEqual([true, 60]);
  expect([pace.replanned(31), pace.total]).toEqual([false, 60]);
});

test('minutes end by the clock alone', async () => {
  const pace = new Pace({ minutes: 1 / 600 }, 1_000_000);
  expect(pace.done(2_000_000)).toBeLessThan(1);
  await setTimeout(110);
  expect(pace.done(1)).toBe(1);
});
