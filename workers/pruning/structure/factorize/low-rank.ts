/** @file A matrix as a product of two narrow ones. */

import { symmetricEigen } from './eigen.ts';

export interface Matrix {
  /** Row-major. */
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/** The best approximations of a matrix, rank by rank. */
export interface LowRank {
  /** Share of the squared norm that is lost at rank r, at place r: from 1 to 0. */
  readonly lost: Float64Array;
  /** left (rows, r) · right (r, columns), the nearest of rank r. */
  factors(rank: number): readonly [Matrix, Matrix];
}

/**
 * M ≈ Uᵣ·(Uᵣᵀ·M) with Uᵣ the first r left singular vectors, from the eigenvectors of M·Mᵀ; where M has fewer columns than rows the same
 * of its transpose. The error is Σ of the squared singular values that are left out.
 *
 * Source: Eckart & Young 1936
 */
export function lowRank(m: Matrix): LowRank {
  const tall = m.rows > m.columns;
  const wide = tall ? transposed(m) : m;
  const n = wide.rows;
  const { values, vectors } = symmetricEigen(gram(wide), n);
  return {
    lost: lostOf(values),
    factors(rank) {
      const basis = { data: vectors.slice(0, rank * n), rows: rank, columns: n };
      const [left, right] = [transposed(basis), product(basis, wide)];
      return tall ? [transposed(right), transposed(left)] : [left, right];
    },
  };
}

/** Leading eigenvectors of M·Mᵀ as rows: a basis of what M's columns span. */
export function leadingBasis(m: Matrix): Matrix {
  return { data: symmetricEigen(gram(m), m.rows).vectors, rows: m.rows, columns: m.rows };
}

function lostOf(values: Float64Array): Float64Array {
  const total = values.reduce((sum, v) => sum + Math.max(0, v), 0);
  const lost = new Float64Array(values.length + 1);
  let rest = total;
  for (let r = 0; r <= values.length; r++) {
    lost[r] = total > 0 ? Math.max(0, rest) / total : 0;
    rest -= Math.max(0, values[r] ?? 0);
  }
  lost[values.length] = 0;
  return lost;
}

export function transposed({ data, rows, columns }: Matrix): Matrix {
  const out = new Float64Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!;
  return { data: out, rows: columns, columns: rows };
}

export function product(a: Matrix, b: Matrix): Matrix {
  const out = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i++)
    for (let k = 0; k < a.columns; k++) {
      const x = a.data[i * a.columns + k]!;
      if (x === 0) continue;
      const [to, from] = [i * b.columns, k * b.columns];
      for (let j = 0; j < b.columns; j++) out[to + j]! += x * b.data[from + j]!;
    }
  return { data: out, rows: a.rows, columns: b.columns };
}

/** M·Mᵀ. */
function gram({ data, rows, columns }: Matrix): Float64Array {
  const out = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      const [a, b] = [i * columns, j * columns];
      for (let k = 0; k < columns; k++) sum += data[a + k]! * data[b + k]!;
      out[i * rows + j] = sum;
      out[j * rows + i] = sum;
    }
  return out;
}
