/** @file Into double, for losses that are small differences of large numbers. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { DTYPE_NUMBERS } from '../../onnx/dtype.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';

export const toDouble = (g: GraphBuilder, x: Value): Value =>
  g.op('Cast', [x], shapeOf(x), { to: { type: 'int', value: DTYPE_NUMBERS.float64 } }, 'float64');
