/** @file Form `tucker2`: 1 × 1 to fewer channels, the kernel among them, 1 × 1 to all. */

import { Tensor } from '../../../onnx/tensor.ts';
import { type Candidate, type Form, type FullLayer, ladder, type Prepared } from './form.ts';
import { leadingBasis, type Matrix, product, transposed } from './low-rank.ts';
import { area, doubles, pointwise } from './matrix-forms.ts';

/**
 * W[o, i, k] ≈ Σ U[o, a]·G[a, b, k]·V[i, b]: U and V the leading singular vectors of W unfolded along its outputs and its inputs, G what
 * W is in them. What is lost is 1 − ‖G‖²/‖W‖².
 *
 * Source: Kim et al., Compression of Deep Convolutional Neural Networks for Fast and Low Power Mobile Applications, 2016; higher-order
 * SVD: De Lathauwer 2000
 */
export const tucker2: Form = {
  summary: '1 × 1 to fewer channels, the kernel among them, 1 × 1 to all (Kim 2016).',
  prepare: (layer) => {
    const [, , ...kernel] = layer.weight.constant!.dims;
    return layer.node.op === 'Conv' && area(kernel) > 1 ? decomposed(layer, kernel) : undefined;
  },
};

function decomposed(layer: FullLayer, kernel: readonly number[]): Prepared {
  const { dims } = layer.weight.constant!;
  const [out, inner] = dims as [number, number];
  const taps = area(kernel);
  const w: Matrix = { data: doubles(layer), rows: out, columns: inner * taps };
  const u = leadingBasis(w);
  const v = leadingBasis(swapped(w, inner, taps));
  const core = inBases(w, u, v, inner, taps);
  const energies = corner(core, inner, taps);
  const positions = layer.macs / w.data.length;
  const before = area(layer.input.slice(2));
  return {
    candidates: () =>
      ladder(out).map((a, i): Candidate => {
        const b = ladder(inner)[Math.min(i, ladder(inner).length - 1)]!;
        const params = inner * b + a * b * taps + out * a;
        const macs = before * inner * b + positions * (a * b * taps + out * a);
        return { form: 'tucker2', ranks: [b, a], lost: energies(a, b), params, macs };
      }),
    parts: ([b, a]) => [
      pointwise(head(v, b!), kernel.length),
      {
        op: 'Conv',
        weight: Tensor.float32(
          [a!, b!, ...kernel],
          Float32Array.from(cornerOf(core, a!, b!, inner, taps)),
        ),
        attributes: layer.node.attributes,
      },
      pointwise(transposed(head(u, a!)), kernel.length),
    ],
    whole: ([b, a]) => {
      const g = { data: cornerOf(core, a!, b!, inner, taps), rows: a!, columns: b! * taps };
      const half = product(transposed(head(u, a!)), g);
      const wide = product(transposed(head(v, b!)), swapped(half, b!, taps));
      return Tensor.float32(dims, Float32Array.from(swapped(wide, out, taps).data));
    },
  };
}

const head = ({ data, columns }: Matrix, rows: number): Matrix => ({
  data: data.slice(0, rows * columns),
  ...{ rows, columns },
});

/** (p, q·taps) → (q, p·taps). */
function swapped({ data, rows: p }: Matrix, q: number, taps: number): Matrix {
  const out = new Float64Array(data.length);
  for (let i = 0; i < p; i++)
    for (let j = 0; j < q; j++)
      for (let t = 0; t < taps; t++) out[(j * p + i) * taps + t] = data[(i * q + j) * taps + t]!;
  return { data: out, rows: q, columns: p * taps };
}

/** All of G: U·W along the outputs, V along the inputs, (outputs, inputs·taps). */
function inBases(w: Matrix, u: Matrix, v: Matrix, inner: number, taps: number): Matrix {
  const half = product(u, w);
  const both = product(v, swapped(half, inner, taps));
  return swapped(both, w.rows, taps);
}

/** Share of ‖G‖² outside its first a × b corner, from sums over corners. */
function corner({ data, rows: out }: Matrix, inner: number, taps: number) {
  const sums = new Float64Array((out + 1) * (inner + 1));
  const at = (a: number, b: number) => a * (inner + 1) + b;
  for (let a = 1; a <= out; a++)
    for (let b = 1; b <= inner; b++) {
      let own = 0;
      for (let t = 0; t < taps; t++) own += data[((a - 1) * inner + b - 1) * taps + t]! ** 2;
      sums[at(a, b)] = own + sums[at(a - 1, b)]! + sums[at(a, b - 1)]! - sums[at(a - 1, b - 1)]!;
    }
  const total = sums[at(out, inner)]!;
  return (a: number, b: number) => (total > 0 ? Math.max(0, 1 - sums[at(a, b)]! / total) : 0);
}

function cornerOf({ data }: Matrix, a: number, b: number, inner: number, taps: number) {
  const out = new Float64Array(a * b * taps);
  for (let i = 0; i < a; i++)
    out.set(data.subarray(i * inner * taps, (i * inner + b) * taps), i * b * taps);
  return out;
}
