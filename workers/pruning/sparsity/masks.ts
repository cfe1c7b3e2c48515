/** @file Masks that set single weights to zero: 1 keeps a weight, 0 removes it. Shapes stay, so only files shrink, unless the target runs sparse kernels. */

import { axisOf } from '../../onnx/static-shapes.ts';
import { smallestFirst } from './smallest.ts';

/** Weights that stand next to each other along the reduction axis, and how many of them stay. */
const GROUP = 4;
const KEPT = 2;

/**
 * 2:4 structured sparsity: of every 4 neighbours along `axis` the 2 of largest magnitude stay; at equal magnitudes the lower
 * index. A last incomplete group keeps at most 2.
 *
 * @param values row-major, of shape `dims`
 * @param axis   the axis that the layer sums over: 1 for Conv and for Gemm with transB, 0 for MatMul
 * @returns one byte per weight
 * Source: Mishra et al., Accelerating Sparse Deep Neural Networks, 2021, https://arxiv.org/abs/2104.08378
 */
export function twoOfFour(
  values: ArrayLike<number>,
  dims: readonly number[],
  axis: number,
): Uint8Array {
  const at = axisOf(axis, dims.length);
  const size = dims[at]!;
  const inner = dims.slice(at + 1).reduce((n, d) => n * d, 1);
  const mask = new Uint8Array(values.length);
  for (let first = 0; first < values.length; first += size * inner)
    for (let i = 0; i < inner; i++)
      for (let g = 0; g < size; g += GROUP)
        keepLargest(values, mask, first + g * inner + i, Math.min(GROUP, size - g), inner);
  return mask;
}

function keepLargest(
  values: ArrayLike<number>,
  mask: Uint8Array,
  start: number,
  count: number,
  stride: number,
): void {
  const places = Array.from({ length: count }, (_, i) => start + i * stride);
  // A stable sort: of equal magnitudes the lower index comes first.
  places.sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!));
  for (const place of places.slice(0, KEPT)) mask[place] = 1;
}

/**
 * Unstructured sparsity with one threshold over all the tensors, laid end to end: the ⌊sparsity · n⌋ lowest scores are removed, at
 * equal scores the lower place first.
 *
 * @param scores   per tensor, one number per weight: |w|, or what a criterion says (LAMP)
 * @param sparsity 0…1, share of the weights to remove
 * @returns one mask per tensor
 */
export function unstructured(
  scores: readonly ArrayLike<number>[],
  sparsity: number,
): Uint8Array<ArrayBuffer>[] {
  const total = scores.reduce((n, s) => n + s.length, 0);
  const all = new Float64Array(total);
  let offset = 0;
  const starts = scores.map((s) => {
    const start = offset;
    for (let i = 0; i < s.length; i++) all[offset++] = s[i]!;
    return start;
  });
  const mask = new Uint8Array(total).fill(1);
  for (const place of smallestFirst(all, Math.floor(sparsity * total))) mask[place] = 0;
  return scores.map((s, t) => mask.slice(starts[t]!, starts[t]! + s.length));
}

/** The magnitude of every weight: the usual score of `unstructured`. */
export const magnitudes = (values: ArrayLike<number>): Float64Array =>
  Float64Array.from(values, Math.abs);

/** The masked weights: 0 where the mask is 0. */
export const masked = (values: Float32Array, mask: Uint8Array): Float32Array =>
  values.map((w, i) => (mask[i] ? w : 0));
