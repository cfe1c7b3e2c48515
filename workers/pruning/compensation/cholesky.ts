/** @file A = L·Lᵀ of symmetric positive definite matrices, and what is solved with it: blocked, products by the runtime. */

import { columnsOf, type Matrix, type Products, rowsOf } from './gemm.ts';

/** Columns of one block: what lies within it is done in JavaScript, everything else is matrix products. */
const BLOCK = 160;

/** L by blocks of columns: `columns[j]` holds rows ≥ `starts[j]`. */
export interface Factor {
  readonly size: number;
  readonly starts: readonly number[];
  readonly columns: readonly Matrix[];
}

/**
 * Left-looking: each block of columns takes off what the blocks before it explain, then is factored by itself.
 *
 * @param a (n, n), symmetric; the lower triangle is read
 * @returns undefined where A is not positive definite in double precision
 */
export async function factor(a: Matrix, products: Products): Promise<Factor | undefined> {
  const size = a.rows;
  const starts = Array.from({ length: Math.ceil(size / BLOCK) }, (_, j) => j * BLOCK);
  const columns: Matrix[] = [];
  for (const [j, start] of starts.entries()) {
    const width = Math.min(BLOCK, size - start);
    let panel = columnsOf(rowsOf(a, start, size), start, start + width);
    for (let k = 0; k < j; k++) {
      const before = columns[k]!;
      const below = rowsOf(before, start - starts[k]!, before.rows);
      panel = await products.minusTransposed(panel, below, rowsOf(below, 0, width));
    }
    if (!factorPanel(panel)) return undefined;
    columns.push(panel);
  }
  return { size, starts, columns };
}

/** In place: the top square becomes L, the rows under it are solved against it. */
function factorPanel({ rows, columns, data }: Matrix): boolean {
  for (let r = 0; r < rows; r++) {
    const row = r * columns;
    for (let c = 0; c <= Math.min(r, columns - 1); c++) {
      const rest = data[row + c]! - dot(data, row, c * columns, c);
      if (c < r) data[row + c] = rest / data[c * columns + c]!;
      else if (rest > 0) data[row + c] = Math.sqrt(rest);
      else return false;
    }
    if (r < columns) data.fill(0, row + r + 1, row + columns);
  }
  return true;
}

/** Σ data[a + i]·data[b + i], four sums at a time. */
function dot(data: Float64Array, a: number, b: number, count: number): number {
  let [s, t, u, v] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < count; i += 4) {
    s += data[a + i]! * data[b + i]!;
    t += data[a + i + 1]! * data[b + i + 1]!;
    u += data[a + i + 2]! * data[b + i + 2]!;
    v += data[a + i + 3]! * data[b + i + 3]!;
  }
  for (; i < count; i++) s += data[a + i]! * data[b + i]!;
  return s + t + (u + v);
}

/**
 * The diagonal of A⁻¹: (A⁻¹)_cc = Σ_k (L⁻¹)_kc². For matrices of some hundred rows: no products by the runtime.
 *
 * @returns undefined where A is not positive definite
 */
export function inverseDiagonal(a: Matrix): Float64Array | undefined {
  const n = a.rows;
  const l: Matrix = { ...a, data: a.data.slice() };
  if (!factorPanel(l)) return undefined;
  const y = new Float64Array(n);
  return Float64Array.from({ length: n }, (_, c) => {
    let sum = 0;
    for (let k = c; k < n; k++) {
      let rest = k === c ? 1 : 0;
      for (let i = c; i < k; i++) rest -= l.data[k * n + i]! * y[i]!;
      y[k] = rest / l.data[k * n + k]!;
      sum += y[k]! ** 2;
    }
    return sum;
  });
}

/** R·A⁻¹ = R·L⁻ᵀ·L⁻¹. @param r (m, n) */
export async function solveRight(r: Matrix, f: Factor, products: Products): Promise<Matrix> {
  const blocks = f.starts.map((s, j) => columnsOf(r, s, s + f.columns[j]!.columns));
  for (const [j, column] of f.columns.entries()) {
    for (let k = 0; k < j; k++)
      blocks[j] = await products.minusTransposed(blocks[j]!, blocks[k]!, blockOf(f, j, k));
    solveTransposed(blocks[j]!, column);
  }
  for (let j = blocks.length - 1; j >= 0; j--) {
    for (let k = j + 1; k < blocks.length; k++)
      blocks[j] = await products.minus(blocks[j]!, blocks[k]!, blockOf(f, k, j));
    solvePlain(blocks[j]!, f.columns[j]!);
  }
  return joined(blocks, r.rows, f);
}

/** Rows of block `row` in block column `column`. */
function blockOf({ starts, columns }: Factor, row: number, column: number): Matrix {
  const from = starts[row]! - starts[column]!;
  return rowsOf(columns[column]!, from, from + columns[row]!.columns);
}

/** X ← X·L⁻ᵀ, L: the top square. */
function solveTransposed({ rows, columns, data }: Matrix, { data: l }: Matrix): void {
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      let rest = data[r * columns + c]!;
      for (let k = 0; k < c; k++) rest -= data[r * columns + k]! * l[c * columns + k]!;
      data[r * columns + c] = rest / l[c * columns + c]!;
    }
}

/** X ← X·L⁻¹. */
function solvePlain({ rows, columns, data }: Matrix, { data: l }: Matrix): void {
  for (let r = 0; r < rows; r++)
    for (let c = columns - 1; c >= 0; c--) {
      const x = data[r * columns + c]! / l[c * columns + c]!;
      data[r * columns + c] = x;
      for (let k = 0; k < c; k++) data[r * columns + k]! -= x * l[c * columns + k]!;
    }
}

function joined(blocks: readonly Matrix[], rows: number, { size, starts }: Factor): Matrix {
  const data = new Float64Array(rows * size);
  for (const [j, block] of blocks.entries())
    for (let r = 0; r < rows; r++) data.set(rowsOf(block, r, r + 1).data, r * size + starts[j]!);
  return { rows, columns: size, data };
}
