/** @file Least squares that pulls toward the weights at hand, with a ridge chosen on images that took no part in the fit. */

import { factor, solveRight } from './cholesky.ts';
import { type Matrix, type Products, rowsOf } from './gemm.ts';
import { added, type Moments } from './moments.ts';

/** Ridges as shares of the mean diagonal of X·Xᵀ. */
const GRID = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30] as const;
const START = 6;
/**
 * Share by which the chosen ridge's held-out error may exceed the least: of ridges that do nearly as well the strongest moves the
 * weights least, and what a layer changes beyond need its successors have to bear.
 */
const TOLERANCE = 0.05;

/** Rows `from` … `to` − 1 of every group belong to one layer. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

export interface RidgeFit {
  /** Undefined: no ridge helped on the held-out images, the weights stay as they were. */
  readonly ridge: number | undefined;
  /** Squared error of the outputs on held-out images as a share of their energy. */
  readonly before: number;
  readonly after: number;
  /** (rows of the range, columns) per group. */
  readonly weights: readonly Matrix[];
}

/** Below this the outputs are met already: rounding of moments in float32. */
const EXACT = 1e-6;

/**
 * W′ = W + (Y − W·X)·Xᵀ·(X·Xᵀ + λ·mean diag·I)⁻¹ for layers that share their inputs X, λ per layer.
 *
 * λ is found by walking down the grid on the error of held-out images; the fit is then made again on all images.
 *
 * @param current (rows, columns) per group
 */
export async function fitRidge(
  train: Moments,
  heldOut: Moments,
  current: readonly Matrix[],
  layers: readonly RowRange[],
  products: Products,
): Promise<RidgeFit[]> {
  const at = once((step) => judged(train, heldOut, current, GRID[step]!, products));
  const all = added(train, heldOut);
  const refit = once((step) => solve(all, current, GRID[step]!, products));
  const errors = await rowErrors(current, heldOut, products);
  const results: RidgeFit[] = [];
  for (const range of layers) {
    const energy = sumOf(heldOut.energy, heldOut, range) || 1;
    const before = sumOf(errors, heldOut, range) / energy;
    const best = before > EXACT ? await chosen(at, heldOut, range) : undefined;
    const after = best ? best.error / energy : before;
    const weights = best && after < before ? await refit(best.step) : undefined;
    const mine = (m: Matrix) => rowsOf(m, range.from, range.to);
    results.push(
      best && weights
        ? { ridge: GRID[best.step], before, after, weights: weights.map(mine) }
        : { ridge: undefined, before, after: before, weights: current.map(mine) },
    );
  }
  return results;
}

/** Each step of the grid is computed at most once. */
function once<T>(compute: (step: number) => Promise<T>): (step: number) => Promise<T> {
  const known = new Map<number, Promise<T>>();
  return (step) => {
    const result = known.get(step) ?? compute(step);
    known.set(step, result);
    return result;
  };
}

interface Solution {
  readonly weights: readonly Matrix[];
  /** (groups · rows): held-out squared error of every output. */
  readonly errors: Float64Array;
}

interface Choice {
  readonly step: number;
  readonly error: number;
}

/** The strongest ridge that does nearly as well as the best. */
async function chosen(
  at: (step: number) => Promise<Solution | undefined>,
  heldOut: Moments,
  range: RowRange,
): Promise<Choice | undefined> {
  const errorAt = async (step: number) => {
    const solution = GRID[step] === undefined ? undefined : await at(step);
    return solution ? sumOf(solution.errors, heldOut, range) : Number.POSITIVE_INFINITY;
  };
  const best = await descend(errorAt);
  if (best === undefined) return undefined;
  const most = (1 + TOLERANCE) * best.error;
  let choice = best;
  for (let step = best.step + 1; ; step++) {
    const error = await errorAt(step);
    if (!(error <= most)) return choice;
    choice = { step, error };
  }
}

/** From the middle of the grid in the direction that lowers the layer's error, as long as it does. */
async function descend(errorAt: (step: number) => Promise<number>): Promise<Choice | undefined> {
  let best = { step: START, error: await errorAt(START) };
  for (const direction of [1, -1]) {
    for (let step = best.step + direction; ; step += direction) {
      const error = await errorAt(step);
      if (error >= best.error) break;
      best = { step, error };
    }
    if (best.step !== START) break;
  }
  return Number.isFinite(best.error) ? best : undefined;
}

async function judged(
  train: Moments,
  heldOut: Moments,
  current: readonly Matrix[],
  ridge: number,
  products: Products,
): Promise<Solution | undefined> {
  const weights = await solve(train, current, ridge, products);
  return weights && { weights, errors: await rowErrors(weights, heldOut, products) };
}

/** @returns undefined where a group's matrix is singular */
async function solve(
  moments: Moments,
  current: readonly Matrix[],
  ridge: number,
  products: Products,
): Promise<readonly Matrix[] | undefined> {
  const out: Matrix[] = [];
  for (const [g, w] of current.entries()) {
    const inputs = inputsOf(moments, g);
    const rest = await products.minus(crossOf(moments, g), w, inputs);
    const f = await factor(withRidge(inputs, ridge), products);
    if (f === undefined) return undefined;
    const step = await solveRight(rest, f, products);
    out.push({ ...w, data: step.data.map((d, i) => d + w.data[i]!) });
  }
  return out;
}

/** E − 2·W·Cᵀ + W·G·Wᵀ, its diagonal: the squared error of every output. */
async function rowErrors(
  weights: readonly Matrix[],
  moments: Moments,
  products: Products,
): Promise<Float64Array> {
  const { rows, columns } = moments;
  const errors = moments.energy.slice();
  for (const [g, w] of weights.entries()) {
    const cross = crossOf(moments, g);
    const rest = await products.minus(cross, w, inputsOf(moments, g));
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const i = r * columns + c;
        errors[g * rows + r]! -= w.data[i]! * (cross.data[i]! + rest.data[i]!);
      }
  }
  return errors;
}

function withRidge({ rows, columns, data }: Matrix, ridge: number): Matrix {
  const out = data.slice();
  let trace = 0;
  for (let i = 0; i < rows; i++) trace += data[i * columns + i]!;
  for (let i = 0; i < rows; i++) out[i * columns + i]! += (ridge * trace) / rows;
  return { rows, columns, data: out };
}

const inputsOf = ({ inputs, columns }: Moments, g: number): Matrix => ({
  rows: columns,
  columns,
  data: inputs.subarray(g * columns * columns, (g + 1) * columns * columns),
});

const crossOf = ({ cross, rows, columns }: Moments, g: number): Matrix => ({
  rows,
  columns,
  data: cross.subarray(g * rows * columns, (g + 1) * rows * columns),
});

function sumOf(perRow: Float64Array, { groups, rows }: Moments, { from, to }: RowRange): number {
  let sum = 0;
  for (let g = 0; g < groups; g++) for (let r = from; r < to; r++) sum += perRow[g * rows + r]!;
  return sum;
}
