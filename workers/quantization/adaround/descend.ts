/** @file Whether each weight rounds up or down, so that the layer answers as it does with float weights. */

import type { Moments } from './moments.ts';
import type { RowView } from './row-view.ts';

/** Added to the diagonal of the second moments, as a share of its mean: keeps roundings from fitting the drawn positions alone. */
const RIDGE = 0.01;

export interface Grid {
  /** W / s, in the view's order. */
  readonly steps: Float64Array;
  /** One per output. */
  readonly scales: Float32Array;
  readonly qn: number;
  readonly qp: number;
}

/**
 * AdaRound's objective, with e = Ŵ − W of one output, over positions p:
 *
 *     L(e) = Σ_p (e·x_p)² = eᵀ (Σ x xᵀ) e
 *
 * each e[k] one of the two roundings of W[k]. The paper relaxes this to numbers between 0 and 1 and follows gradients for
 * 10,000 steps; here the flip that lowers L most is taken until none does. That ends at a lower L, in a few passes.
 * Source: Nagel et al., Up or Down? Adaptive Rounding for Post-Training Quantization, ICML 2020, https://arxiv.org/abs/2004.10568
 *
 * @param codes rounded to nearest; changed in place
 */
export function descend(
  codes: Int32Array,
  grid: Grid,
  moments: Moments,
  { groups, rows, taps }: RowView,
): void {
  for (let g = 0; g < groups; g++) {
    const second = moments.second.subarray(g * taps * taps, (g + 1) * taps * taps);
    const ridge = RIDGE * meanDiagonal(second, taps);
    for (let m = 0; m < rows; m++) {
      const first = (g * rows + m) * taps;
      descendRow(codes.subarray(first, first + taps), {
        steps: grid.steps.subarray(first, first + taps),
        second,
        ridge,
        qn: grid.qn,
        qp: grid.qp,
      });
    }
  }
}

interface Row {
  readonly steps: Float64Array;
  readonly second: Float32Array;
  readonly ridge: number;
  readonly qn: number;
  readonly qp: number;
}

/** In units of the scale s: L / s² = εᵀ S ε, ε = code − W / s, and slope = S ε. */
function descendRow(codes: Int32Array, row: Row): void {
  const { steps, second, ridge, qn, qp } = row;
  const taps = codes.length;
  const slope = new Float64Array(taps);
  for (let j = 0; j < taps; j++) addColumn(slope, second, j, codes[j]! - steps[j]!, ridge);
  // Every flip lowers L, so that it ends; the bound is for sums that no longer tell flips apart.
  for (let flips = 0; flips < 4 * taps; flips++) {
    let best = 0;
    let at = -1;
    for (let k = 0; k < taps; k++) {
      const way = slope[k]! > 0 ? -1 : 1;
      const code = codes[k]! + way;
      if (Math.abs(code - steps[k]!) >= 1 || code < qn || code > qp) continue;
      const change = 2 * way * slope[k]! + second[k * taps + k]! + ridge;
      if (change < best) {
        best = change;
        at = k;
      }
    }
    if (at < 0) return;
    const way = slope[at]! > 0 ? -1 : 1;
    codes[at]! += way;
    addColumn(slope, second, at, way, ridge);
  }
}

function addColumn(
  slope: Float64Array,
  second: Float32Array,
  j: number,
  by: number,
  ridge: number,
): void {
  const start = j * slope.length;
  for (let k = 0; k < slope.length; k++) slope[k]! += by * second[start + k]!;
  slope[j]! += by * ridge;
}

function meanDiagonal(second: Float32Array, taps: number): number {
  let sum = 0;
  for (let k = 0; k < taps; k++) sum += second[k * taps + k]!;
  return sum / taps;
}

/** Σ L(e) over all outputs. */
export function squaredError(
  codes: Int32Array,
  { steps, scales }: Grid,
  { second }: Moments,
  { groups, rows, taps }: RowView,
): number {
  let total = 0;
  for (let o = 0; o < groups * rows; o++) {
    const start = Math.floor(o / rows) * taps * taps;
    const s = scales[o]!;
    const e = Float64Array.from(
      { length: taps },
      (_, k) => s * (codes[o * taps + k]! - steps[o * taps + k]!),
    );
    for (let i = 0; i < taps; i++) {
      let dot = 0;
      for (let j = 0; j < taps; j++) dot += second[start + i * taps + j]! * e[j]!;
      total += e[i]! * dot;
    }
  }
  return total;
}
