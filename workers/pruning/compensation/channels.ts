/** @file The cheap compensation: removed channels as linear combinations of kept ones, folded into the consumer. */

import { factor, solveRight } from './cholesky.ts';
import type { Matrix, Products } from './gemm.ts';

/** First and second moments of C channels. */
export interface ChannelStatistics {
  readonly count: number;
  /** (C): Σ x */
  readonly sum: Float64Array;
  /** (C, C): Σ x·xᵀ */
  readonly squares: Matrix;
}

export interface Substitution {
  /** (removed, kept) */
  readonly a: Matrix;
  /** (removed) */
  readonly r: Float64Array;
}

/** Moments of samples. @param x (N, C), row-major */
export function channelStatistics(x: ArrayLike<number>, channels: number): ChannelStatistics {
  const count = x.length / channels;
  const sum = new Float64Array(channels);
  const squares = new Float64Array(channels * channels);
  for (let n = 0; n < x.length; n += channels)
    for (let i = 0; i < channels; i++) {
      const xi = x[n + i]!;
      sum[i]! += xi;
      for (let j = 0; j < channels; j++) squares[i * channels + j]! += xi * x[n + j]!;
    }
  return { count, sum, squares: { rows: channels, columns: channels, data: squares } };
}

/**
 * Ridge regression of removed channels R on kept ones K, with means μ and covariance S (1/N):
 *
 *     A = S_RK (S_KK + λI)⁻¹        r = μ_R − A μ_K        x_R ≈ A x_K + r
 *
 * Source: after He et al., Channel Pruning for Accelerating Very Deep Neural Networks, 2017; Luo et al., ThiNet, 2017
 *
 * @param ridge λ, in squared units of the channels
 * @returns undefined where S_KK + λI is singular
 */
export async function substitute(
  { count, sum, squares }: ChannelStatistics,
  kept: readonly number[],
  removed: readonly number[],
  ridge: number,
  products: Products,
): Promise<Substitution | undefined> {
  const mean = sum.map((s) => s / count);
  const covariance = (i: number, j: number) =>
    squares.data[i * squares.columns + j]! / count - mean[i]! * mean[j]!;
  const block = (rows: readonly number[], columns: readonly number[], add: number): Matrix => ({
    rows: rows.length,
    columns: columns.length,
    data: Float64Array.from(
      rows.flatMap((i, y) => columns.map((j, x) => covariance(i, j) + (x === y ? add : 0))),
    ),
  });
  const f = await factor(block(kept, kept, ridge), products);
  if (f === undefined) return undefined;
  const a = await solveRight(block(removed, kept, 0), f, products);
  const r = Float64Array.from(removed, (i, y) =>
    kept.reduce((rest, j, x) => rest - a.data[y * kept.length + x]! * mean[j]!, mean[i]!),
  );
  return { a, r };
}

/**
 * W′[:, kept] = W[:, kept] + W[:, removed]·A at every kernel tap; b′ = b + (Σ over taps of W[:, removed])·r. Exact where the
 * consumer does not pad.
 *
 * @param weight (M, C, taps), row-major
 */
export function foldInto(
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  taps: number,
  kept: readonly number[],
  removed: readonly number[],
  { a, r }: Substitution,
): { readonly weight: Float64Array; readonly bias: Float64Array } {
  const channels = kept.length + removed.length;
  const at = (m: number, c: number, t: number) => weight[(m * channels + c) * taps + t]!;
  const folded = new Float64Array(bias.length * kept.length * taps);
  const shifted = Float64Array.from(bias);
  for (let m = 0; m < bias.length; m++)
    for (let t = 0; t < taps; t++) {
      for (const [x, j] of kept.entries())
        folded[(m * kept.length + x) * taps + t] = removed.reduce(
          (sum, i, y) => sum + at(m, i, t) * a.data[y * kept.length + x]!,
          at(m, j, t),
        );
      for (const [y, i] of removed.entries()) shifted[m]! += at(m, i, t) * r[y]!;
    }
  return { weight: folded, bias: shifted };
}
