/** @file Forms `svd`, `channel` and `spatial`: a weight as one matrix, that as a product of two. */

import { intOf, intsOf } from '../../../onnx/attributes.ts';
import type { Node } from '../../../onnx/graph.ts';
import { Tensor } from '../../../onnx/tensor.ts';
import { floatsOf } from '../../../onnx/values.ts';
import { type Form, type FullLayer, ladder, type Part, type Prepared } from './form.ts';
import { lowRank, type Matrix, product, transposed } from './low-rank.ts';

/** Gemm and MatMul: X·W ≈ (X·A)·B, r·(in + out) products instead of in·out. */
export const svd: Form = {
  summary: 'A product of two narrow matrices, by singular values.',
  prepare: (layer) => (layer.node.op === 'Conv' ? undefined : ofProduct(layer)),
};

function ofProduct(layer: FullLayer): Prepared {
  const { node } = layer;
  const flipped = node.op === 'Gemm' && intOf(node, 'transB', 0) === 1;
  const stored = matrixOf(layer.weight.constant!);
  const w = flipped ? transposed(stored) : stored;
  const positions = layer.macs / (w.rows * w.columns);
  return prepared('svd', w, (r) => positions * r * (w.rows + w.columns), {
    parts: ([left, right]) => [
      { op: 'MatMul', weight: tensorOf(left), attributes: {} },
      {
        op: node.op as 'Gemm' | 'MatMul',
        weight: tensorOf(flipped ? transposed(right) : right),
        attributes: node.attributes,
      },
    ],
    whole: (both) => tensorOf(flipped ? transposed(both) : both),
  });
}

/** Conv: the kernel to r channels, then 1 × 1 to all. For 1 × 1 kernels this is the matrix's own factorization. */
export const channel: Form = {
  summary: 'A convolution to fewer channels, and 1 × 1 to all of them (Zhang 2015).',
  prepare: (layer) => (layer.node.op === 'Conv' ? byChannel(layer) : undefined),
};

function byChannel(layer: FullLayer): Prepared {
  const { dims } = layer.weight.constant!;
  const [out, inner, ...kernel] = dims as [number, number, ...number[]];
  const w = { data: doubles(layer), rows: out, columns: inner * area(kernel) };
  const positions = layer.macs / w.data.length;
  return prepared('channel', w, (r) => positions * r * (w.rows + w.columns), {
    parts: ([left, right]) => [
      {
        op: 'Conv',
        weight: tensorOf(right, [right.rows, inner, ...kernel]),
        attributes: layer.node.attributes,
      },
      pointwise(left, kernel.length),
    ],
    whole: (both) => tensorOf(both, dims),
  });
}

/** k × 1 to r channels, then 1 × k to all: W[o, i, y, x] as a matrix of (i, y) and (o, x). */
export const spatial: Form = {
  summary: 'Columns of the kernel to fewer channels, then rows to all (Jaderberg 2014).',
  prepare: (layer) => {
    const [, , ...kernel] = layer.weight.constant!.dims;
    if (layer.node.op !== 'Conv' || kernel.length !== 2 || Math.min(...kernel) < 2)
      return undefined;
    return bySpace(layer, kernel as [number, number]);
  },
};

function bySpace(layer: FullLayer, [kh, kw]: [number, number]): Prepared {
  const { dims } = layer.weight.constant!;
  const [out, inner] = dims as [number, number];
  const values = doubles(layer);
  const w = { data: new Float64Array(values.length), rows: inner * kh, columns: out * kw };
  const place = (o: number, i: number, y: number, x: number) =>
    (i * kh + y) * w.columns + o * kw + x;
  const each = (visit: (at: number, place: number) => void) => {
    for (let at = 0; at < values.length; at++) {
      const [x, y] = [at % kw, Math.floor(at / kw) % kh];
      const [i, o] = [Math.floor(at / (kw * kh)) % inner, Math.floor(at / (kw * kh * inner))];
      visit(at, place(o, i, y, x));
    }
  };
  each((at, to) => {
    w.data[to] = values[at]!;
  });
  const [, , high, wide] = layer.output as [number, number, number, number];
  const across = layer.input[3]!;
  const macs = (r: number) => high * across * r * inner * kh + high * wide * r * out * kw;
  return prepared('spatial', w, macs, {
    parts: ([left, right]) => splitKernel(layer, left, right, [inner, kh, out, kw]),
    whole: (both) => {
      const back = new Float32Array(values.length);
      each((at, from) => {
        back[at] = both.data[from]!;
      });
      return Tensor.float32(dims, back);
    },
  });
}

/** Strides, pads and dilations go to the part that runs along their axis. */
function splitKernel(
  { node }: FullLayer,
  left: Matrix,
  right: Matrix,
  [inner, kh, out, kw]: readonly [number, number, number, number],
): Part[] {
  const r = left.columns;
  const [strides, dilations] = [intsOf(node, 'strides', [1, 1]), intsOf(node, 'dilations', [1, 1])];
  const [top, before, bottom, after] = intsOf(node, 'pads', [0, 0, 0, 0]) as number[];
  const first = transposed(left).data;
  const second = new Float64Array(out * r * kw);
  for (let k = 0; k < r; k++)
    for (let o = 0; o < out; o++)
      for (let x = 0; x < kw; x++)
        second[(o * r + k) * kw + x] = right.data[k * right.columns + o * kw + x]!;
  const along = (stride: number[], dilation: number[], pads: number[]): Node['attributes'] => ({
    strides: { type: 'ints', value: stride },
    dilations: { type: 'ints', value: dilation },
    pads: { type: 'ints', value: pads },
  });
  return [
    {
      op: 'Conv',
      weight: Tensor.float32([r, inner, kh, 1], first),
      attributes: along([strides[0]!, 1], [dilations[0]!, 1], [top!, 0, bottom!, 0]),
    },
    {
      op: 'Conv',
      weight: Tensor.float32([out, r, 1, kw], second),
      attributes: along([1, strides[1]!], [1, dilations[1]!], [0, before!, 0, after!]),
    },
  ];
}

interface Making {
  parts(factors: readonly [Matrix, Matrix]): Part[];
  whole(both: Matrix): Tensor;
}

function prepared(form: string, w: Matrix, macs: (rank: number) => number, make: Making): Prepared {
  const low = lowRank(w);
  const full = Math.min(w.rows, w.columns);
  return {
    candidates: () =>
      ladder(full).map((r) => ({
        ...{ form, ranks: [r], lost: low.lost[r]! },
        params: r * (w.rows + w.columns),
        macs: macs(r),
      })),
    parts: ([r]) => make.parts(low.factors(r!)),
    whole: ([r]) => make.whole(product(...low.factors(r!))),
  };
}

export const pointwise = (w: Matrix, axes: number): Part => ({
  op: 'Conv',
  weight: tensorOf(w, [w.rows, w.columns, ...new Array<number>(axes).fill(1)]),
  attributes: {},
});

export const doubles = ({ weight }: FullLayer): Float64Array =>
  Float64Array.from(floatsOf(weight.constant!));

export const area = (kernel: readonly number[]): number => kernel.reduce((n, k) => n * k, 1);

function matrixOf(tensor: Tensor): Matrix {
  const [rows, columns] = tensor.dims as [number, number];
  return { data: Float64Array.from(floatsOf(tensor)), rows, columns };
}

const tensorOf = ({ data, rows, columns }: Matrix, dims: readonly number[] = [rows, columns]) =>
  Tensor.float32(dims, Float32Array.from(data));
