/** @file Eigenvalues and eigenvectors of symmetric matrices. */

export interface Eigen {
  /** Falling. */
  readonly values: Float64Array;
  /** Row k is the unit vector that belongs to value k, row-major (n, n). */
  readonly vectors: Float64Array;
}

const MOST_SWEEPS = 60;

/**
 * A = Vᵀ·diag(values)·V for symmetric A (n, n): Householder reflections to a tridiagonal matrix, then QL steps with implicit shifts.
 *
 * Source: Martin, Reinsch & Wilkinson 1968 (tred2), Bowdler et al. 1968 (tql2), in the Handbook for Automatic Computation
 */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  const v = matrix.slice();
  const [d, e] = [new Float64Array(n), new Float64Array(n)];
  tridiagonalize(v, d, e, n);
  accumulate(v, d, n);
  for (let i = 1; i < n; i++) e[i - 1] = e[i]!;
  e[n - 1] = 0;
  diagonalize(v, d, e, n);
  return sorted(v, d, n);
}

/** v becomes the reflections (below the diagonal) with their factors in d; e the off-diagonal. */
function tridiagonalize(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  for (let j = 0; j < n; j++) d[j] = v[(n - 1) * n + j]!;
  for (let i = n - 1; i > 0; i--) {
    let h = 0;
    for (let k = 0; k < i; k++) h += d[k]! ** 2;
    if (i === 1 || h === 0) {
      e[i] = d[i - 1]!;
      for (let j = 0; j < i; j++) {
        d[j] = v[(i - 1) * n + j]!;
        v[i * n + j] = 0;
        v[j * n + i] = 0;
      }
      d[i] = 0;
      continue;
    }
    const f = d[i - 1]!;
    const g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h);
    e[i] = g;
    h -= f * g;
    d[i - 1] = f - g;
    reflect(v, d, e, n, i, h);
    d[i] = h;
  }
}

/** A ← A − u·qᵀ − q·uᵀ for the reflection u = d[0 … i−1]. */
function reflect(
  v: Float64Array,
  d: Float64Array,
  e: Float64Array,
  n: number,
  i: number,
  h: number,
) {
  for (let j = 0; j < i; j++) e[j] = 0;
  for (let j = 0; j < i; j++) {
    const f = d[j]!;
    v[j * n + i] = f;
    let g = e[j]! + v[j * n + j]! * f;
    for (let k = j + 1; k < i; k++) {
      g += v[k * n + j]! * d[k]!;
      e[k]! += v[k * n + j]! * f;
    }
    e[j] = g;
  }
  let f = 0;
  for (let j = 0; j < i; j++) {
    e[j]! /= h;
    f += e[j]! * d[j]!;
  }
  for (let j = 0; j < i; j++) e[j]! -= (f / (h + h)) * d[j]!;
  for (let j = 0; j < i; j++) {
    const [dj, ej] = [d[j]!, e[j]!];
    for (let k = j; k < i; k++) v[k * n + j]! -= dj * e[k]! + ej * d[k]!;
    d[j] = v[(i - 1) * n + j]!;
    v[i * n + j] = 0;
  }
}

/** The product of all reflections, into v; d becomes the diagonal. */
function accumulate(v: Float64Array, d: Float64Array, n: number): void {
  for (let i = 0; i < n - 1; i++) {
    v[(n - 1) * n + i] = v[i * n + i]!;
    v[i * n + i] = 1;
    const h = d[i + 1]!;
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = v[k * n + i + 1]! / h;
      for (let j = 0; j <= i; j++) {
        let g = 0;
        for (let k = 0; k <= i; k++) g += v[k * n + i + 1]! * v[k * n + j]!;
        for (let k = 0; k <= i; k++) v[k * n + j]! -= g * d[k]!;
      }
    }
    for (let k = 0; k <= i; k++) v[k * n + i + 1] = 0;
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[(n - 1) * n + j]!;
    v[(n - 1) * n + j] = 0;
  }
  v[n * n - 1] = 1;
}

function diagonalize(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  let [f, largest] = [0, 0];
  for (let l = 0; l < n; l++) {
    largest = Math.max(largest, Math.abs(d[l]!) + Math.abs(e[l]!));
    let m = l;
    while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * largest) m++;
    for (let sweep = 0; m > l && sweep < MOST_SWEEPS; sweep++) {
      f += shift(d, e, l, n);
      step(v, d, e, l, m, n);
      if (Math.abs(e[l]!) <= Number.EPSILON * largest) break;
    }
    d[l]! += f;
    e[l] = 0;
  }
}

/** Subtract a shift from the rest of the diagonal. @returns the shift */
function shift(d: Float64Array, e: Float64Array, l: number, n: number): number {
  const g = d[l]!;
  const p = (d[l + 1]! - g) / (2 * e[l]!);
  const r = p < 0 ? -Math.hypot(p, 1) : Math.hypot(p, 1);
  d[l] = e[l]! / (p + r);
  d[l + 1] = e[l]! * (p + r);
  const h = g - d[l]!;
  for (let i = l + 2; i < n; i++) d[i]! -= h;
  return h;
}

/** One QL step on rows l … m. */
function step(v: Float64Array, d: Float64Array, e: Float64Array, l: number, m: number, n: number) {
  let p = d[m]!;
  let [c, c2, c3, s, s2] = [1, 1, 1, 0, 0];
  const [dl1, el1] = [d[l + 1]!, e[l + 1]!];
  for (let i = m - 1; i >= l; i--) {
    [c3, c2, s2] = [c2, c, s];
    const g = c * e[i]!;
    const h = c * p;
    const r = Math.hypot(p, e[i]!);
    e[i + 1] = s * r;
    s = e[i]! / r;
    c = p / r;
    p = c * d[i]! - s * g;
    d[i + 1] = h + s * (c * g + s * d[i]!);
    for (let k = 0; k < n; k++) {
      const t = v[k * n + i + 1]!;
      v[k * n + i + 1] = s * v[k * n + i]! + c * t;
      v[k * n + i] = c * v[k * n + i]! - s * t;
    }
  }
  p = (-s * s2 * c3 * el1 * e[l]!) / dl1;
  e[l] = s * p;
  d[l] = c * p;
}

/** Columns become rows, the largest value first. */
function sorted(v: Float64Array, d: Float64Array, n: number): Eigen {
  const order = [...d.keys()].sort((a, b) => d[b]! - d[a]!);
  const vectors = new Float64Array(n * n);
  for (const [k, column] of order.entries())
    for (let i = 0; i < n; i++) vectors[k * n + i] = v[i * n + column]!;
  return { values: Float64Array.from(order, (k) => d[k]!), vectors };
}
