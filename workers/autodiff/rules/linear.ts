/** @file Gradients of the matrix products: Gemm, MatMul. */

import { floatOf, intOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';

/**
 * Y = α·A′·B′ + β·C, where A′ is A or Aᵀ and B′ is B or Bᵀ.
 *
 *     dA′ = α·dY·B′ᵀ        dB′ = α·A′ᵀ·dY        dC = β·dY
 *
 * Transposing dA′ or dB′ back only swaps its two factors, so each stays one Gemm.
 *
 * Shapes: A′ (M, K), B′ (K, N), Y (M, N); C broadcasts to (M, N).
 * Source: https://onnx.ai/onnx/operators/onnx__Gemm.html
 */
export const gemm: GradientRule = ({ node, x: [a, b], dy: [d], g }) => {
  const alpha = floatOf(node, 'alpha', 1);
  const beta = floatOf(node, 'beta', 1);
  const transA = intOf(node, 'transA', 0) === 1;
  const transB = intOf(node, 'transB', 0) === 1;
  const product = (p: Value, q: Value, tp: boolean, tq: boolean) => {
    const rows = shapeOf(p)[tp ? 1 : 0]!;
    const columns = shapeOf(q)[tq ? 0 : 1]!;
    return g.op('Gemm', [p, q], [rows, columns], {
      alpha: { type: 'float', value: alpha },
      transA: { type: 'int', value: Number(tp) },
      transB: { type: 'int', value: Number(tq) },
    });
  };
  return [
    () => (transA ? product(b, d, transB, true) : product(d, b, false, !transB)),
    () => (transB ? product(d, a, true, transA) : product(a, d, !transA, false)),
    () => g.scale(d, beta),
  ];
};

/**
 * Y = A·B over the last two axes, the others broadcast; a vector is a matrix with one row (A) or column (B).
 *
 *     dA = dY·Bᵀ        dB = Aᵀ·dY
 */
export const matmul: GradientRule = ({ x: [a, b], dy: [d], g }) => {
  const [ra, rb] = [shapeOf(a).length, shapeOf(b).length];
  const A = ra === 1 ? g.reshape(a, [1, ...shapeOf(a)]) : a;
  const B = rb === 1 ? g.reshape(b, [...shapeOf(b), 1]) : b;
  const D = withMatrixAxes(g, d, ra === 1, rb === 1);
  const dropped = (v: Value, axis: -1 | -2) => {
    const shape = [...shapeOf(v)];
    shape.splice(shape.length + axis, 1);
    return g.reshape(v, shape);
  };
  return [
    () => (ra === 1 ? dropped(g.matmul(D, g.swap(B)), -2) : g.matmul(D, g.swap(B))),
    () => {
      if (rb === 1) return dropped(g.matmul(g.swap(A), D), -1);
      return rb === 2 ? flatProduct(g, A, D) : g.matmul(g.swap(A), D);
    },
  ];
};

/** Give dY back the row or column that a vector operand took away. */
function withMatrixAxes(g: GraphBuilder, d: Value, row: boolean, column: boolean): Value {
  let shape = [...shapeOf(d)];
  if (column) shape = [...shape, 1];
  if (row) shape.splice(shape.length - 1, 0, 1);
  return g.reshape(d, shape);
}

/** Σ over the batch of Aᵀ·dY as one product: the batch joins the summed axis. */
function flatProduct(g: GraphBuilder, a: Value, d: Value): Value {
  const [k, n] = [shapeOf(a).at(-1)!, shapeOf(d).at(-1)!];
  return g.matmul(g.swap(g.reshape(a, [rows(a), k])), g.reshape(d, [rows(d), n]));
}

const rows = (v: Value) =>
  shapeOf(v)
    .slice(0, -1)
    .reduce((p, s) => p * s, 1);
