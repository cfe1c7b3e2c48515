import { expect, test } from 'vitest';
import { masked, unstructured } from '../../../../workers/pruning/sparsity/masks.ts';
import { smallestFirst } from '../../../../workers/pruning/sparsity/smallest.ts';

test.each([
  [[3, 1, 2], 2, [1, 2]],
  [[1, 1, 0, 1], 2, [0, 2]],
  [[1, 2], 0, []],
  [[1, 2], 5, [0, 1]],
])('of %j the %i smallest, lower places first', (values, count, expected) => {
  expect([...smallestFirst(Float64Array.from(values), count)].sort()).toEqual(expected);
});

test('one threshold holds for all tensors, and masked weights are zero', () => {
  const [a, b] = unstructured(
    [
      [5, 6],
      [1, 2],
    ],
    0.5,
  );

  expect([Array.from(a!), Array.from(b!)]).toEqual([
    [1, 1],
    [0, 0],
  ]);
  expect(Array.from(masked(Float32Array.of(-3, 4), Uint8Array.of(1, 0)))).toEqual([-3, 0]);
});
