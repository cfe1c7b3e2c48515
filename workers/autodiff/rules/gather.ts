/** @file Gradients of ops that pick by index. Indices have no gradient. */

import { intOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { axisOf, range, type Shape, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { scatterAdd } from '../along.ts';
import type { GradientRule } from '../rule.ts';
import { unravel } from './convolution.ts';

/** y = x[…, indices, …] along `axis`;  dx = Σ of the slices that each place was copied to. */
export const gather: GradientRule = ({ node, x: [x, indices], dy: [d], g }) => [
  () => scatterAdd(g, d, indices, axisOf(intOf(node, 'axis', 0), shapeOf(x).length), shapeOf(x)),
  null,
];

/** y[i…] = x[… index[i…] …] along `axis`;  dx = scatter-add of dy. */
export const gatherElements: GradientRule = ({ node, x: [x, indices], dy: [d], g }) => [
  () =>
    g.op('ScatterElements', [g.zeros(shapeOf(x), d), indices, d], shapeOf(x), {
      axis: { type: 'int', value: intOf(node, 'axis', 0) },
      reduction: { type: 'string', value: 'add' },
    }),
  null,
];

/** y = x at index tuples, which follow the place itself along the first `batch_dims` axes;  dx = scatter-add of dy. */
export const gatherND: GradientRule = ({ node, x: [x, indices], dy: [d], g }) => [
  () => {
    const whole = withBatchPlaces(g, indices, intOf(node, 'batch_dims', 0));
    return g.op('ScatterND', [g.zeros(shapeOf(x), d), whole, d], shapeOf(x), {
      reduction: { type: 'string', value: 'add' },
    });
  },
  null,
];

/** Index tuples that name their places along the batch axes too. */
function withBatchPlaces(g: GraphBuilder, indices: Value, batchDims: number): Value {
  if (batchDims === 0) return indices;
  const tuples: Shape = shapeOf(indices).slice(0, -1);
  const places = range(sizeOf(tuples)).flatMap((k) => unravel(k, tuples).slice(0, batchDims));
  const prefix = g.tensor(Tensor.int64([...tuples, batchDims], places));
  return g.concat([prefix, indices], tuples.length);
}

/** The k largest values and where they were;  dx = dy put back there. */
export const topK: GradientRule = ({ node, x: [x], y: [, indices], dy: [d], g }) => [
  () =>
    g.op('ScatterElements', [g.zeros(shapeOf(x), d), indices, d], shapeOf(x), {
      axis: { type: 'int', value: intOf(node, 'axis', -1) },
    }),
  null,
];
