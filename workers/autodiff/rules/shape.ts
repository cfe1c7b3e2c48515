/** @file Gradients of ops that move values about without computing with them. */

import { intOf, intsOf, stringOf } from '../../onnx/attributes.ts';
import { axisOf, range, shapeOf } from '../../onnx/static-shapes.ts';
import { spread } from '../along.ts';
import { castLike, isFloating } from '../cast.ts';
import { constantInput } from '../refusal.ts';
import type { GradientRule } from '../rule.ts';

/** y = x;  dx = dy. */
export const identity: GradientRule = ({ dy: [d] }) => [() => d];

/** y = x in another element type;  dx = dy in that of x. Through integers and booleans no gradient flows. */
export const cast: GradientRule = ({ x: [x], y: [y], dy: [d], g }) =>
  isFloating(x) && isFloating(y) ? [() => castLike(g, d, x), null] : [];

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

/** y = x above (or below) the k-th diagonal, zero elsewhere;  dx = the same of dy. */
export const trilu: GradientRule = ({ node, x: [, k], dy: [d], g }) => [
  () =>
    g.op('Trilu', [d, node.inputs[1] && k], shapeOf(d), {
      upper: { type: 'int', value: intOf(node, 'upper', 1) },
    }),
  null,
];

/** y = x with the first `sequence_lens[b]` steps of each sequence turned round;  dx = dy turned round. */
export const reverseSequence: GradientRule = ({ node, x: [, lengths], dy: [d], g }) => [
  () => g.op('ReverseSequence', [d, lengths], shapeOf(d), node.attributes),
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
