/** @file Second moments of sampled patches and outputs: products in single precision, their sums in double. */

import { parseText } from '../../onnx/parse-text.ts';
import { type Feed, openSession, type Session } from '../../runtime/session.ts';

/**
 * Columns that are gathered before they are multiplied: small products waste time. Within a chunk single precision is exact enough
 * (errors of 1e-6 of the diagonal, below the weakest ridge) and twice as fast.
 */
const CHUNK = 1024;

/** G ← G + X·Xᵀ, C ← C + Y·Xᵀ, E ← E + Σ Y², per group of channels. */
const GRAPH = `(float[g,k,n] X, float[g,m,n] Y, double[g,k,k] G, double[g,m,k] C, double[g,m] E)
  => (double[g,k,k] G2, double[g,m,k] C2, double[g,m] E2)
  <int64[1] last = {2}> {
    t = Transpose<perm=[0, 2, 1]>(X)
    xx = MatMul(X, t)
    dxx = Cast<to=11>(xx)
    G2 = Add(G, dxx)
    yx = MatMul(Y, t)
    dyx = Cast<to=11>(yx)
    C2 = Add(C, dyx)
    yy = ReduceSumSquare<keepdims=0>(Y, last)
    dyy = Cast<to=11>(yy)
    E2 = Add(E, dyy)
  }`;

export const openMoments = (threads: number): Promise<Session> =>
  openSession(parseText(GRAPH), { threads });

/** What least squares needs of any number of samples: its size does not depend on that number. */
export interface Moments {
  readonly groups: number;
  /** Inputs per group, the row of ones included. */
  readonly columns: number;
  /** Outputs per group. */
  readonly rows: number;
  /** (groups, columns, columns): Σ x·xᵀ */
  readonly inputs: Float64Array<ArrayBuffer>;
  /** (groups, rows, columns): Σ y·xᵀ */
  readonly cross: Float64Array<ArrayBuffer>;
  /** (groups, rows): Σ y² */
  readonly energy: Float64Array<ArrayBuffer>;
}

interface Part {
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly count: number;
}

/** Gathers samples and sums their moments. */
export class MomentSums {
  readonly #session: Session;
  #moments: Moments;
  #parts: Part[] = [];
  #waiting = 0;

  constructor(session: Session, size: { groups: number; columns: number; rows: number }) {
    const { groups, columns, rows } = size;
    this.#session = session;
    this.#moments = {
      ...size,
      inputs: new Float64Array(groups * columns * columns),
      cross: new Float64Array(groups * rows * columns),
      energy: new Float64Array(groups * rows),
    };
  }

  /** @param x (groups, columns, count) @param y (groups, rows, count) */
  async add(x: Float32Array, y: Float32Array, count: number): Promise<void> {
    this.#parts.push({ x, y, count });
    this.#waiting += count;
    if (this.#waiting >= CHUNK) await this.#flush();
  }

  async finish(): Promise<Moments> {
    if (this.#waiting > 0) await this.#flush();
    return this.#moments;
  }

  async #flush(): Promise<void> {
    const { groups, columns, rows, inputs, cross, energy } = this.#moments;
    const n = this.#waiting;
    const { G2, C2, E2 } = await this.#session.run({
      X: single(joined(this.#parts, 'x', groups * columns, n), [groups, columns, n]),
      Y: single(joined(this.#parts, 'y', groups * rows, n), [groups, rows, n]),
      G: double(inputs, [groups, columns, columns]),
      C: double(cross, [groups, rows, columns]),
      E: double(energy, [groups, rows]),
    });
    const data = (t: Feed | undefined) => t!.data as Float64Array<ArrayBuffer>;
    this.#moments = { groups, columns, rows, inputs: data(G2), cross: data(C2), energy: data(E2) };
    this.#parts = [];
    this.#waiting = 0;
  }
}

/** Rows of several parts side by side. */
function joined(parts: readonly Part[], which: 'x' | 'y', rows: number, total: number) {
  const out = new Float32Array(rows * total);
  let offset = 0;
  for (const { [which]: data, count } of parts) {
    for (let r = 0; r < rows; r++)
      out.set(data.subarray(r * count, (r + 1) * count), r * total + offset);
    offset += count;
  }
  return out;
}

const single = (data: Float32Array<ArrayBuffer>, dims: readonly number[]): Feed => ({ dims, data });
const double = (data: Float64Array<ArrayBuffer>, dims: readonly number[]): Feed => ({
  ...{ dims, data },
  dtype: 'float64',
});

/** Moments of both sets of samples together. */
export function added(a: Moments, b: Moments): Moments {
  const plus = (x: Float64Array, y: Float64Array) => {
    const sum = x.slice();
    for (let i = 0; i < sum.length; i++) sum[i]! += y[i]!;
    return sum as Float64Array<ArrayBuffer>;
  };
  return {
    ...a,
    inputs: plus(a.inputs, b.inputs),
    cross: plus(a.cross, b.cross),
    energy: plus(a.energy, b.energy),
  };
}
