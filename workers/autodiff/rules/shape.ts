/** @file Gradients of ops that move values about without computing with them. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { intOf, intsOf, stringOf } from '../../onnx/attributes.ts';
import { type Node, nodeLabel } from '../../onnx/graph.ts';
import { axisOf, range, shapeOf } from '../../onnx/static-shapes.ts';
import { numbersOf } from '../../onnx/values.ts';
import { applyAlong, spread, transposed } from '../along.ts';
import type { GradientRule } from '../rule.ts';

/** Numbers of an input that must be a constant for its op to have a gradient graph. */
export function constantInput(node: Node, i: number): number[] | undefined {
  const value = node.inputs[i];
  if (value === undefined) return undefined;
  if (value.constant) return numbersOf(value.constant);
  throw new ServiceError('OP_NOT_DIFFERENTIABLE', {
    op: node.op,
    node: nodeLabel(node),
    why: `its input '${value.name}' decides shapes or places and is not a constant (simplify the model first)`,
  });
}

/** y = x;  dx = dy. */
export const identity: GradientRule = ({ dy: [d] }) => [() => d];

/** The same values in another shape: dx has the shape of x. */
export const reshape: GradientRule = ({ x: [x], dy: [d], g }) => [
  () => g.reshape(d, shapeOf(x)),
  null,
];

/** y = x stretched: backward() sums dy back. */
export const expand: GradientRule = ({ dy: [d] }) => [() => d, null];

/** y = x transposed;  dx = dy under the inverse permutation. */
export const transpose: GradientRule = ({ node, x: [x], dy: [d], g }) => [
  () => {
    const rank = shapeOf(x).length;
    const perm = intsOf(node, 'perm', range(rank).reverse());
    return g.transpose(
      d,
      range(rank).map((i) => perm.indexOf(i)),
    );
  },
];

/** y = inputs end to end;  each dx is its part of dy. */
export const concat: GradientRule = ({ node, x, dy: [d], g }) => {
  const axis = axisOf(intOf(node, 'axis', 0), shapeOf(d).length);
  let start = 0;
  return node.inputs.map((_, i) => {
    const from = start;
    start += shapeOf(x[i]!)[axis]!;
    const to = start;
    return () => g.slice(d, [axis], [from], [to], [1]);
  });
};

/** Parts of x;  dx = the parts of dy end to end. */
export const split: GradientRule = ({ node, dy, g }) => [
  () =>
    g.concat(
      dy.filter((v) => v !== undefined),
      axisOf(intOf(node, 'axis', 0), shapeOf(dy[0]).length),
    ),
  null,
];

/** y = x[start : end : step];  dx = dy at the places it came from, zero elsewhere. */
export const slice: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    const shape = shapeOf(x);
    const starts = constantInput(node, 1)!;
    const axes = (constantInput(node, 3) ?? range(starts.length)).map((a) =>
      axisOf(a, shape.length),
    );
    const steps = constantInput(node, 4) ?? starts.map(() => 1);
    constantInput(node, 2);
    return axes.reduce((v, axis, i) => {
      const size = shape[axis]!;
      const step = steps[i]!;
      const wrapped = starts[i]! < 0 ? starts[i]! + size : starts[i]!;
      const start = Math.max(0, Math.min(step > 0 ? size : size - 1, wrapped));
      const places = range(shapeOf(y)[axis]!).map((k) => start + k * step);
      if (step === 1) {
        const before = shape.map((_, j) => (j === axis ? start : 0));
        const after = shape.map((_, j) => (j === axis ? size - start - places.length : 0));
        return g.pad(v, before, after);
      }
      return spread(
        g,
        v,
        axis,
        range(size).map((p) => places.indexOf(p)),
      );
    }, d);
  },
  null,
  null,
  null,
  null,
];

/** y = x with a border. constant: dx = the inside of dy. edge, reflect, wrap: border places add to the places they copied. */
export const pad: GradientRule = ({ node, x: [x], dy: [d], g }) => [
  () => {
    const shape = shapeOf(x);
    const pads = constantInput(node, 1)!;
    const axes = (constantInput(node, 3) ?? range(shape.length)).map((a) =>
      axisOf(a, shape.length),
    );
    const before = shape.map((_, i) => (axes.includes(i) ? pads[axes.indexOf(i)]! : 0));
    const after = shape.map((_, i) =>
      axes.includes(i) ? pads[axes.length + axes.indexOf(i)]! : 0,
    );
    const mode = stringOf(node, 'mode', 'constant');
    if (mode === 'constant')
      return g.pad(
        d,
        before.map((p) => -p),
        after.map((p) => -p),
      );
    return shape.reduce((v, size, axis) => {
      const out = size + before[axis]! + after[axis]!;
      if (out === size && before[axis] === 0) return v;
      const matrix = new Float64Array(out * size);
      for (let o = 0; o < out; o++) matrix[o * size + source(o - before[axis]!, size, mode)] = 1;
      return applyAlong(g, v, axis, transposed(matrix, out), size);
    }, d);
  },
  null,
  () => {
    throw new ServiceError('OP_NOT_DIFFERENTIABLE', {
      op: node.op,
      node: nodeLabel(node),
      why: 'the value of its border would be trained',
    });
  },
  null,
];

/** Which place of x a place of the padded axis copies. */
function source(i: number, size: number, mode: string): number {
  if (i >= 0 && i < size) return i;
  if (mode === 'edge') return Math.max(0, Math.min(size - 1, i));
  if (mode === 'wrap') return ((i % size) + size) % size;
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const k = ((i % period) + period) % period;
  return k < size ? k : period - k;
}

/** y = x repeated;  dx = the sum of the repeats. */
export const tile: GradientRule = ({ node, x: [x], dy: [d], g }) => [
  () => {
    const shape = shapeOf(x);
    const repeats = constantInput(node, 1)!;
    const split = g.reshape(
      d,
      shape.flatMap((s, i) => [repeats[i]!, s]),
    );
    return g.reshape(
      g.sum(
        split,
        range(shape.length).map((i) => 2 * i),
      ),
      shape,
    );
  },
  null,
];

/** Channels to pixels and back are each other's adjoint: a reshape, a transpose, a reshape. */
export const depthToSpace: GradientRule = ({ node, x: [x], dy: [d], g }) => [
  () => {
    const [n, c, h, w] = shapeOf(x) as [number, number, number, number];
    const b = intOf(node, 'blocksize', 1);
    const split = g.reshape(d, [n, c / (b * b), h, b, w, b]);
    const crd = stringOf(node, 'mode', 'DCR') === 'CRD';
    return g.reshape(g.transpose(split, crd ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]), [
      n,
      c,
      h,
      w,
    ]);
  },
];

export const spaceToDepth: GradientRule = ({ node, x: [x], dy: [d], g }) => [
  () => {
    const [n, c, h, w] = shapeOf(x) as [number, number, number, number];
    const b = intOf(node, 'blocksize', 1);
    const split = g.reshape(d, [n, b, b, c, h / b, w / b]);
    return g.reshape(g.transpose(split, [0, 3, 4, 1, 5, 2]), [n, c, h, w]);
  },
];
