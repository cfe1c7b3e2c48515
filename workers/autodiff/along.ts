/** @file Linear maps along one axis, as constant matrices or index lists. */

import type { GraphBuilder } from '../onnx/builder.ts';
import { DTYPE_NUMBERS } from '../onnx/dtype.ts';
import type { Value } from '../onnx/graph.ts';
import { dtypeOf, range, type Shape, shapeOf, sizeOf } from '../onnx/static-shapes.ts';

/**
 * y[…, o, …] = Σ_i M[o, i]·x[…, i, …] along `axis`.
 *
 * @param matrix row-major (out, in)
 */
export function applyAlong(
  g: GraphBuilder,
  x: Value,
  axis: number,
  matrix: Float64Array,
  out: number,
): Value {
  const shape = shapeOf(x);
  const last = shape.length - 1;
  const size = shape[axis]!;
  const order = range(shape.length).filter((i) => i !== axis);
  const toLast = axis === last ? x : g.transpose(x, [...order, axis]);
  const transposed = Float64Array.from(
    { length: matrix.length },
    (_, k) => matrix[(k % out) * size + Math.floor(k / out)]!,
  );
  const y = g.matmul(toLast, g.floats([size, out], transposed, x));
  if (axis === last) return y;
  const back = range(shape.length).map((i) => (i === axis ? last : order.indexOf(i)));
  return g.transpose(y, back);
}

/** The matrix of the adjoint map. */
export function transposed(matrix: Float64Array, rows: number): Float64Array {
  const columns = matrix.length / rows;
  return Float64Array.from(
    { length: matrix.length },
    (_, k) => matrix[(k % rows) * columns + Math.floor(k / rows)]!,
  );
}

/**
 * Spread `d` over `size` places along `axis`: place i takes d's slice `from[i]`, or zero where that is −1.
 * The adjoint of picking distinct places.
 */
export function spread(g: GraphBuilder, d: Value, axis: number, from: readonly number[]): Value {
  const shape = shapeOf(d);
  const zero = shape[axis]!;
  const after = shape.map((_, i) => (i === axis ? 1 : 0));
  const padded = from.includes(-1)
    ? g.pad(
        d,
        shape.map(() => 0),
        after,
      )
    : d;
  return g.gather(padded, g.ints(from.map((i) => (i < 0 ? zero : i))), axis);
}

/**
 * Σ of the slices of `d` that went to each of `size` places along `axis`: the adjoint of gathering.
 *
 * @param indices int64 or int32 value of any shape, whose axes stand at `axis` in d; entries 0…size − 1 or negative
 */
export function scatterAdd(
  g: GraphBuilder,
  d: Value,
  indices: Value,
  axis: number,
  target: Shape,
): Value {
  const count = sizeOf(shapeOf(indices));
  const outer = target.slice(0, axis);
  const inner = target.slice(axis + 1);
  const flat = g.reshape(d, [sizeOf(outer), count, sizeOf(inner)]);
  const rows = g.transpose(flat, [1, 0, 2]);
  const zeros = g.zeros([target[axis]!, sizeOf(outer), sizeOf(inner)], d);
  const at = g.reshape(wide(g, indices), [count, 1]);
  const sum = g.op('ScatterND', [zeros, at, rows], shapeOf(zeros), {
    reduction: { type: 'string', value: 'add' },
  });
  return g.reshape(g.transpose(sum, [1, 0, 2]), target);
}

/** ScatterND knows 64-bit indices alone. */
const wide = (g: GraphBuilder, indices: Value): Value =>
  dtypeOf(indices) === 'int64'
    ? indices
    : g.op(
        'Cast',
        [indices],
        shapeOf(indices),
        { to: { type: 'int', value: DTYPE_NUMBERS.int64 } },
        'int64',
      );
