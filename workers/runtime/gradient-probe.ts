/** @file A small gradient graph, as training makes them, to compare a provider with the CPU. */

import { backward } from '../autodiff/backward.ts';
import { int, ints, string } from '../onnx/attributes.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { emptyModel, type Model, Value } from '../onnx/graph.ts';
import { shapeOf } from '../onnx/static-shapes.ts';
import { random } from './random.ts';

/**
 * Max-pooling (indices and adding scatter), dense and depth-wise Conv, SiLU, nearest Resize, DepthToSpace: outputs are the result and the
 * gradients of everything. Pooling reads the input itself, whose numbers are the same everywhere, so that rounding does not move
 * a maximum.
 */
export function gradientProbe(): Model {
  const { graph, ...model } = emptyModel(10, 21);
  const g = new GraphBuilder(graph);
  const input = (name: string, shape: number[]) => {
    const value = new Value(name, { kind: 'tensor', dtype: 'float32', shape });
    graph.inputs.push(value);
    return value;
  };
  const x = input('x', [2, 4, 16, 16]);
  const dense = weight(g, x, [8, 4, 3, 3], 1);
  const deep = weight(g, x, [8, 1, 3, 3], 2);
  const pads = ints([1, 1, 1, 1]);
  const strides = ints([2, 2]);
  const kernel_shape = ints([3, 3]);

  const pooled = g.op('MaxPool', [x], [2, 4, 16, 16], { kernel_shape, pads });
  const a = g.op('Conv', [pooled, dense], [2, 8, 8, 8], { pads, strides });
  const b = g.mul(a, g.sigmoid(a));
  const c = g.op('Conv', [b, deep], [2, 8, 4, 4], { pads, strides, group: int(8) });
  const scales = g.floats([4], [1, 1, 2, 2], x);
  const wide = g.op('Resize', [c, undefined, scales], [2, 8, 8, 8], {
    mode: string('nearest'),
    coordinate_transformation_mode: string('asymmetric'),
    nearest_mode: string('floor'),
  });
  const y = g.op('DepthToSpace', [g.mul(wide, b)], [2, 2, 16, 16], { blocksize: int(2) });

  const gradient = input('cotangent', [...shapeOf(y)]);
  graph.outputs = [y, ...backward(graph, [{ value: y, gradient }], [x, dense, deep], { g })];
  return { ...model, producer: { name: 'lathe', version: '' }, graph };
}

/** Normal numbers with the variance that keeps sums at 1. */
function weight(g: GraphBuilder, like: Value, dims: number[], seed: number): Value {
  const { normal } = random(seed);
  const size = dims.reduce((n, d) => n * d, 1);
  const scale = 1 / Math.sqrt(size / dims[0]!);
  return g.floats(
    dims,
    Float32Array.from({ length: size }, () => normal() * scale),
    like,
  );
}
