/** @file Factors and solutions of positive definite matrices, of sizes around the block's. */

import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  factor,
  inverseDiagonal,
  solveRight,
} from '../../../../workers/pruning/compensation/cholesky.ts';
import { type Matrix, Products } from '../../../../workers/pruning/compensation/gemm.ts';
import { random } from '../../../../workers/runtime/random.ts';

let products: Products;
beforeAll(async () => {
  products = await Products.open(1);
});
afterAll(() => products.release());

test.each([1, 7, 160, 161, 330])('R·A⁻¹ of %i rows: times A gives R again', async (n) => {
  const a = definite(n);
  const r = noise(3, n);

  const x = await solveRight(r, (await factor(a, products))!, products);

  const back = await products.times(x, a);
  for (const [i, v] of r.data.entries()) expect(Math.abs(back.data[i]! - v)).toBeLessThan(1e-9 * n);
});

test.each([1, 40])('the diagonal of the inverse, %i rows', async (n) => {
  const a = definite(n);
  const one = {
    rows: n,
    columns: n,
    data: Float64Array.from({ length: n * n }, (_, i) => +(i % (n + 1) === 0)),
  };
  const inverse = await solveRight(one, (await factor(a, products))!, products);

  const diagonal = inverseDiagonal(a)!;

  for (let i = 0; i < n; i++) expect(diagonal[i]).toBeCloseTo(inverse.data[i * n + i]!, 9);
});

test('a matrix that is not positive definite has no factor', async () => {
  const a = { rows: 2, columns: 2, data: Float64Array.of(1, 2, 2, 1) };

  expect(await factor(a, products)).toBeUndefined();
  expect(inverseDiagonal(a)).toBeUndefined();
});

function noise(rows: number, columns: number): Matrix {
  const rng = random(rows * 1000 + columns);
  return { rows, columns, data: Float64Array.from({ length: rows * columns }, rng.normal) };
}

/** B·Bᵀ/n + I. */
function definite(n: number): Matrix {
  const b = noise(n, n);
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = i === j ? 1 : 0;
      for (let k = 0; k < n; k++) sum += (b.data[i * n + k]! * b.data[j * n + k]!) / n;
      data[i * n + j] = sum;
    }
  return { rows: n, columns: n, data };
}
