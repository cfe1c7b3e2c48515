/** @file Criterion `reconstruction`: the error that compensation cannot repair. */

import { shapeKnown } from '../../onnx/graph.ts';
import { inverseDiagonal } from '../compensation/cholesky.ts';
import type { Criterion } from './criterion.ts';
import { type Axis, consumerInputs, slicesOf } from './group-parts.ts';
import { energies } from './magnitude.ts';
import type { Tap } from './observe/reductions.ts';
import { perChannel } from './slices.ts';

/** Ridge as a share of the mean variance: channels that copy each other leave the covariance singular. */
const RIDGE = 1e-3;
/** Above this many channels of one input their dependence is not looked at: each counts with its whole variance. */
const MOST_CHANNELS = 1024;

/**
 * What stays of channel k when the best linear combination of all others stands in for it:
 *
 *     residual_k = 1 / ((S + λI)⁻¹)_kk − λ,   S the covariance of the channels
 *
 * @param second (n, n): mean of x·xᵀ, row-major
 * @param mean   (n)
 */
export function residualVariances(
  second: ArrayLike<number>,
  mean: ArrayLike<number>,
): Float64Array {
  const n = mean.length;
  const data = Float64Array.from(second, (s, i) => s - mean[Math.floor(i / n)]! * mean[i % n]!);
  let trace = 0;
  for (let k = 0; k < n; k++) trace += data[k * n + k]!;
  const ridge = (RIDGE * trace) / n;
  for (let k = 0; k < n; k++) data[k * n + k]! += ridge;
  const inverse = inverseDiagonal({ rows: n, columns: n, data });
  return inverse ? inverse.map((x) => Math.max(0, 1 / x - ridge)) : new Float64Array(n);
}

/**
 * score_c = Σ over consumers and over the channel's entries k of ‖W_k‖²·residual_k: the mean squared error of the consumers' outputs
 * once the other channels have taken over what they can.
 */
export const reconstruction: Criterion = {
  summary: "Error of the consumers' outputs that no linear combination of other channels repairs.",
  needs: 'activations',
  watch({ group }) {
    const slices = slicesOf(group);
    const inputs = consumerInputs(group).map((axis) => momentsOf(axis));
    return {
      taps: inputs.flatMap(({ taps }) => taps),
      see(numbers) {
        for (const [i, input] of inputs.entries()) input.add(numbers[2 * i]!, numbers[2 * i + 1]!);
      },
      scores() {
        const residuals = new Map(inputs.map((x) => [x.value, x.residuals()]));
        const scores = new Float64Array(group.size);
        for (const { weight, input } of group.consumers) {
          const slice = slices.find((s) => s.value === weight && s.role === 'consumer');
          const residual = residuals.get(input);
          if (!slice || !residual) continue;
          const energy = energies([slice]);
          for (let c = 0; c < group.size; c++) scores[c]! += energy[c]! * residual[c]!;
        }
        return scores;
      },
    };
  },
};

/** Moments of one consumer's input as images pass by, and what stays of each channel of the group. */
function momentsOf({ value, axis, indices }: Axis) {
  const size = shapeKnown(value)?.at(axis);
  const whole = typeof size !== 'number' || size <= MOST_CHANNELS;
  let second = new Float64Array(0);
  let mean = new Float64Array(0);
  let runs = 0;
  return {
    value,
    taps: [
      { reduce: whole ? 'gram' : 'energy', value, axis },
      { reduce: 'mean', value, axis },
    ] satisfies Tap[],
    add(squares: Float32Array, means: Float32Array) {
      if (runs++ === 0)
        [second, mean] = [new Float64Array(squares.length), new Float64Array(means.length)];
      for (const [i, x] of squares.entries()) second[i]! += x;
      for (const [i, x] of means.entries()) mean[i]! += x;
    },
    residuals(): Float64Array {
      const [s, m] = [second.map((x) => x / runs), mean.map((x) => x / runs)];
      const all = whole ? residualVariances(s, m) : s.map((x, k) => x - m[k]! ** 2);
      return perChannel(all, indices);
    },
  };
}
