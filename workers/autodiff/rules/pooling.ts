/** @file Gradients of pooling. */

import { intOf, intsOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import { type Node, Value } from '../../onnx/graph.ts';
import { range, type Shape, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';
import { unravel, type Window, windowOf } from './convolution.ts';
import { separate } from './separable-max.ts';

/**
 * y[o] = max over the window; dx goes whole to the first maximum in row-major order, which the op's second output names as an
 * index into all of x.
 */
export const maxPool: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => scatterFlat(g, d, rowMajorIndices(g, node, x, y), shapeOf(x)),
];

/** The op's own second output; where that counts by columns (storage_order = 1), that of a second MaxPool. */
function rowMajorIndices(g: GraphBuilder, node: Node, x: Value, y: Value): Value {
  if (node.outputs[1] !== undefined && intOf(node, 'storage_order', 0) === 1) {
    const { storage_order: _, ...attributes } = node.attributes;
    const [, indices] = g.ops('MaxPool', [x], [shapeOf(y), shapeOf(y)], attributes);
    indices!.type = { kind: 'tensor', dtype: 'int64', shape: shapeOf(y) };
    return indices!;
  }
  delete node.attributes['storage_order'];
  const separated = separate(g, node, x, y);
  if (separated) return separated;
  const indices = node.outputs[1] ?? new Value(g.name(`${y.name}/indices`));
  indices.type = { kind: 'tensor', dtype: 'int64', shape: shapeOf(y) };
  node.outputs[1] = indices;
  return indices;
}

/** zeros[index] += d, over the flattened tensors. */
function scatterFlat(g: GraphBuilder, d: Value, indices: Value, target: Shape): Value {
  const n = sizeOf(shapeOf(d));
  const zeros = g.zeros([sizeOf(target)], d);
  const sum = g.op(
    'ScatterElements',
    [zeros, g.reshape(indices, [n]), g.reshape(d, [n])],
    [sizeOf(target)],
    {
      axis: { type: 'int', value: 0 },
      reduction: { type: 'string', value: 'add' },
    },
  );
  return g.reshape(sum, target);
}

/** y = max over all positions of a channel; dx goes to the first of them. */
export const globalMaxPool: GradientRule = ({ x: [x], dy: [d], g }) => [
  () => {
    const [n, c, ...spatial] = shapeOf(x) as [number, number, ...number[]];
    const flat = g.reshape(x, [n, c, sizeOf(spatial)]);
    const at = g.op(
      'ArgMax',
      [flat],
      [n, c, 1],
      { axis: { type: 'int', value: 2 }, keepdims: { type: 'int', value: 1 } },
      'int64',
    );
    const zeros = g.zeros([n, c, sizeOf(spatial)], d);
    const placed = g.op('ScatterElements', [zeros, at, g.reshape(d, [n, c, 1])], shapeOf(zeros), {
      axis: { type: 'int', value: 2 },
    });
    return g.reshape(placed, shapeOf(x));
  },
];

/** y = mean over all positions of a channel; dx = dy / count everywhere. */
export const globalAveragePool: GradientRule = ({ x: [x], dy: [d], g }) => [
  () =>
    g.op('Expand', [g.scale(d, 1 / sizeOf(shapeOf(x).slice(2))), g.ints(shapeOf(x))], shapeOf(x)),
];

/**
 * y[o] = Σ over the window / n[o];  dx = adjoint of the sum, of dy / n.
 *
 * n counts the window's places, those on the border too where count_include_pad is 1. It depends on shapes alone, so it is
 * a constant.
 */
export const averagePool: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    const [, channels, ...spatial] = shapeOf(x) as [number, number, ...number[]];
    const out = shapeOf(y).slice(2);
    const win = windowOf(node, spatial, out, intsOf(node, 'kernel_shape', []));
    const counts = windowCounts(win, spatial, out, intOf(node, 'count_include_pad', 0) === 1);
    const shared = g.div(d, g.floats([1, 1, ...out], counts, d));
    return spreadOverWindows(g, shared, [shapeOf(x)[0]!, channels, ...spatial], win);
  },
];

/** Each element of d added to every place of its window: the adjoint of summing over windows. Shapes: (N, C, O…) → `input`. */
export function spreadOverWindows(g: GraphBuilder, d: Value, input: Shape, win: Window): Value {
  const [n, channels, ...spatial] = input as [number, number, ...number[]];
  const out = shapeOf(d).slice(2);
  if (tiles(win, spatial, out)) return repeatEach(g, d, win.kernel);
  const full = out.map(
    (o, i) => (o - 1) * win.strides[i]! + win.dilations[i]! * (win.kernel[i]! - 1) + 1,
  );
  const ones = g.fill(1, [channels, 1, ...win.kernel], d);
  const whole = g.op('ConvTranspose', [d, ones], [n, channels, ...full], {
    kernel_shape: { type: 'ints', value: win.kernel },
    strides: { type: 'ints', value: win.strides },
    dilations: { type: 'ints', value: win.dilations },
    group: { type: 'int', value: channels },
  });
  const after = full.map((f, i) => spatial[i]! - (f - win.before[i]!));
  return g.pad(whole, [0, 0, ...win.before.map((b) => -b)], [0, 0, ...after]);
}

/** Windows that lie side by side and cover the input once. */
const tiles = (win: Window, spatial: Shape, out: Shape) =>
  win.kernel.every(
    (k, i) =>
      k === win.strides[i] &&
      win.dilations[i] === 1 &&
      win.before[i] === 0 &&
      out[i]! * k === spatial[i],
  );

/** Each element becomes a block of equal ones. */
function repeatEach(g: GraphBuilder, d: Value, kernel: Shape): Value {
  const [n, c, ...out] = shapeOf(d) as [number, number, ...number[]];
  const split = g.reshape(d, [n, c, ...out.flatMap((o) => [o, 1])]);
  const wide = [n, c, ...out.flatMap((o, i) => [o, kernel[i]!])];
  return g.reshape(g.op('Expand', [split, g.ints(wide)], wide), [
    n,
    c,
    ...out.map((o, i) => o * kernel[i]!),
  ]);
}

function windowCounts(win: Window, spatial: Shape, out: Shape, includePad: boolean): number[] {
  const axes = range(out.length);
  return range(sizeOf(out)).map((k) => {
    const at = unravel(k, out);
    return axes.reduce((product, i) => {
      const start = at[i]! * win.strides[i]! - win.before[i]!;
      const places = range(win.kernel[i]!).map((t) => start + t * win.dilations[i]!);
      // The border counts, but not what ceil_mode reaches beyond it.
      const [lo, hi] = includePad
        ? [-win.before[i]!, spatial[i]! + win.after[i]!]
        : [0, spatial[i]!];
      return product * places.filter((p) => p >= lo && p < hi).length;
    }, 1);
  });
}
