/** @file Where least squares looks. */

import { expect, test } from 'vitest';

import { anywhere, drawn } from '../../../../workers/pruning/compensation/positions.ts';
import { random } from '../../../../workers/runtime/random.ts';

test('anywhere: each position at most once, all of them where few are left', () => {
  const some = anywhere(0, 'y', 50, 20, random(1));

  expect(new Set(some).size).toBe(20);
  expect(some.every((p) => p >= 0 && p < 50)).toBe(true);
  expect(anywhere(0, 'y', 4, 9, random(1))).toEqual([0, 1, 2, 3]);
});

test('half of the positions are drawn where the loss is sensitive, half anywhere', () => {
  const weights = new Float32Array(1000);
  weights[10] = 3;
  weights[700] = 1;

  const places = drawn(weights, 400, random(2));

  const at = (p: number) => places.filter((x) => x === p).length;
  expect(places).toHaveLength(400);
  expect(at(10)).toBeGreaterThanOrEqual(149);
  expect(at(10)).toBeLessThanOrEqual(152);
  expect(at(700)).toBeGreaterThanOrEqual(49);
  expect(at(700)).toBeLessThanOrEqual(52);
  expect(new Set(places).size).toBeGreaterThan(195);
});

test('where nothing is sensitive every position has the same chance', () => {
  expect(Array.from(drawn(new Float32Array(5), 5, random(3)))).toEqual([0, 1, 2, 3, 4]);
});
