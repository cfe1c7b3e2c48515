/** @file Element types along the way back: a gradient has the type of the value it belongs to. */

import type { GraphBuilder } from '../onnx/builder.ts';
import { DTYPE_NUMBERS, type DType } from '../onnx/dtype.ts';
import type { Value } from '../onnx/graph.ts';
import { dtypeOf, shapeOf } from '../onnx/static-shapes.ts';

const FLOATING: ReadonlySet<DType> = new Set(['float16', 'bfloat16', 'float32', 'float64']);

export const isFloating = (v: Value): boolean => FLOATING.has(dtypeOf(v));

/** `v` in the element type of `like`. */
export function castLike(g: GraphBuilder, v: Value, like: Value): Value {
  const dtype = dtypeOf(like);
  if (dtypeOf(v) === dtype) return v;
  return g.op('Cast', [v], shapeOf(v), { to: { type: 'int', value: DTYPE_NUMBERS[dtype] } }, dtype);
}
