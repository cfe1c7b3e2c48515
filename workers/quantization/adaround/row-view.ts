/** @file A product as rows of weights: what stands in front of each output, and where it is read. */

import { floatOf, intOf, intsOf, stringOf } from '../../onnx/attributes.ts';
import type { Node } from '../../onnx/graph.ts';

/**
 * y[g, m] = Σ_k w[g, m, k]·x[g, k] + b[g, m] at every output position: a Conv is that over patches, a MatMul over rows.
 */
export interface RowView {
  readonly groups: number;
  /** Outputs of one group. */
  readonly rows: number;
  /** Weights of one output. */
  readonly taps: number;
  /** Positions that a result of this shape has. */
  positions(yDims: readonly number[]): number;
  /** Put what position p of group g sees into `to` at `at`. */
  patch(x: Float32Array, dims: Dims, p: number, g: number, to: Float32Array, at: number): void;
  /** Put the outputs of group g at position p into `to` at `at`. */
  outputs(
    y: Float32Array,
    yDims: readonly number[],
    p: number,
    g: number,
    to: Float32Array,
    at: number,
  ): void;
  /** Index in the weight tensor of element (g, m, k), all counted together row-major. */
  weightAt(i: number): number;
}

export interface Dims {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** Undefined where a product has another form: 1-D and 3-D Convs, automatic padding, a weight on the left. */
export function rowViewOf(node: Node, weightDims: readonly number[]): RowView | undefined {
  if (node.op === 'Conv') return convView(node, weightDims);
  if (node.op === 'MatMul' && weightDims.length === 2) return matrixView(weightDims, false);
  if (node.op !== 'Gemm' || intOf(node, 'transA', 0) === 1) return undefined;
  if (floatOf(node, 'alpha', 1) !== 1 || floatOf(node, 'beta', 1) !== 1) return undefined;
  return matrixView(weightDims, intOf(node, 'transB', 0) === 1);
}

function convView(node: Node, weightDims: readonly number[]): RowView | undefined {
  const [outputs, perGroup, kh, kw] = weightDims as [number, number, number, number];
  if (weightDims.length !== 4 || stringOf(node, 'auto_pad', 'NOTSET') !== 'NOTSET')
    return undefined;
  const groups = intOf(node, 'group', 1);
  const [top, left] = intsOf(node, 'pads', [0, 0, 0, 0]) as [number, number];
  const [sh, sw] = intsOf(node, 'strides', [1, 1]) as [number, number];
  const [dh, dw] = intsOf(node, 'dilations', [1, 1]) as [number, number];
  const rows = outputs / groups;
  return {
    groups,
    rows,
    taps: perGroup * kh * kw,
    positions: ([n = 1, , h = 1, w = 1]) => n * h * w,
    patch(x, dims, p, g, to, at) {
      const [, channels = 1, height = 1, width = 1] = dims.x;
      const [, , outHeight = 1, outWidth = 1] = dims.y;
      const image = Math.floor(p / (outHeight * outWidth));
      const row = (Math.floor(p / outWidth) % outHeight) * sh - top;
      const column = (p % outWidth) * sw - left;
      let to_ = at;
      for (let c = 0; c < perGroup; c++) {
        const plane = (image * channels + g * perGroup + c) * height;
        for (let i = 0; i < kh; i++) {
          const r = row + i * dh;
          for (let j = 0; j < kw; j++) {
            const q = column + j * dw;
            const inside = r >= 0 && r < height && q >= 0 && q < width;
            to[to_++] = inside ? x[(plane + r) * width + q]! : 0;
          }
        }
      }
    },
    outputs(y, [, , h = 1, w = 1], p, g, to, at) {
      const image = Math.floor(p / (h * w));
      for (let m = 0; m < rows; m++)
        to[at + m] = y[(image * outputs + g * rows + m) * h * w + (p % (h * w))]!;
    },
    weightAt: (i) => i,
  };
}

function matrixView([first, second]: readonly number[], transposed: boolean): RowView {
  const [rows, taps] = transposed ? [first!, second!] : [second!, first!];
  return {
    groups: 1,
    rows,
    taps,
    positions: (yDims) => yDims.reduce((n, d) => n * d, 1) / rows,
    patch: (x, _, p, __, to, at) => to.set(x.subarray(p * taps, (p + 1) * taps), at),
    outputs: (y, _, p, __, to, at) => to.set(y.subarray(p * rows, (p + 1) * rows), at),
    weightAt: (i) => (transposed ? i : (i % taps) * rows + Math.floor(i / taps)),
  };
}
