/** @file Gradients of Conv and ConvTranspose, of any number of spatial axes. */

import { intOf, intsOf, stringOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Attribute, Node, Value } from '../../onnx/graph.ts';
import { range, type Shape, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';

/** Where a kernel stands over its input: one entry per spatial axis. */
export interface Window {
  readonly kernel: Shape;
  readonly strides: Shape;
  readonly dilations: Shape;
  readonly before: Shape;
  readonly after: Shape;
  readonly group: number;
}

const ints = (value: readonly number[]): Attribute => ({ type: 'ints', value });

/** Attributes of a Conv (or pooling) node, auto_pad resolved against the sizes at hand. */
export function windowOf(node: Node, input: Shape, output: Shape, kernel: Shape): Window {
  const n = kernel.length;
  const strides = intsOf(node, 'strides', new Array(n).fill(1));
  const dilations = intsOf(node, 'dilations', new Array(n).fill(1));
  const pads = intsOf(node, 'pads', new Array(2 * n).fill(0));
  const auto = stringOf(node, 'auto_pad', 'NOTSET');
  const group = intOf(node, 'group', 1);
  if (!auto.startsWith('SAME')) {
    return { kernel, strides, dilations, before: pads.slice(0, n), after: pads.slice(n), group };
  }
  const total = range(n).map((i) =>
    Math.max(0, (output[i]! - 1) * strides[i]! + dilations[i]! * (kernel[i]! - 1) + 1 - input[i]!),
  );
  const small = total.map((t) => Math.floor(t / 2));
  const large = total.map((t) => Math.ceil(t / 2));
  const upper = auto === 'SAME_UPPER';
  return {
    kernel,
    strides,
    dilations,
    before: upper ? small : large,
    after: upper ? large : small,
    group,
  };
}

/**
 * Y[n, m, o] = b[m] + Σ_{c, k} W[m, c, k]·X[n, c, s·o + d·k − p]
 *
 *     dX = transposed convolution of dY with W     dW = Σ_n dY · (patches of X)ᵀ     db = Σ_{n, o} dY
 *
 * Shapes: X (N, C, S…), W (M, C/g, K…), Y (N, M, O…).
 */
export const conv: GradientRule = ({ node, x: [x, w], y: [y], dy: [d], g }) => {
  const win = windowOf(node, shapeOf(x).slice(2), shapeOf(y).slice(2), shapeOf(w).slice(2));
  return [
    () => inputGradient(g, d, w, shapeOf(x), win),
    () => weightGradient(g, x, d, shapeOf(w), win),
    () => g.sum(d, spatialAndBatch(shapeOf(d)), false),
  ];
};

/**
 * Y is the input gradient of a Conv whose output is X: so its own gradients are that Conv and its dW.
 *
 *     dX = Conv(dY, W)      dW = dW of that Conv, at input dY and output gradient X
 *
 * Shapes: X (N, C, S…), W (C, M/g, K…), Y (N, M, O…).
 */
export const convTranspose: GradientRule = ({ node, x: [x, w], y: [y], dy: [d], g }) => {
  const win = transposedWindow(node, shapeOf(x).slice(2), shapeOf(y).slice(2), shapeOf(w).slice(2));
  const sizes = shapeOf(x).slice(2);
  const used = trim(g, d, sizes, win);
  return [
    () => g.op('Conv', [used, w], shapeOf(x), attributesOf(win)),
    () => weightGradient(g, used, x, shapeOf(w), win),
    () => g.sum(d, spatialAndBatch(shapeOf(d)), false),
  ];
};

/** Cut from dY's end what no input of the transposed convolution reached (output_padding of a stride or more). */
function trim(g: GraphBuilder, d: Value, sizes: Shape, win: Window): Value {
  const spatial = shapeOf(d).slice(2);
  const reach = sizes.map(
    (s, i) =>
      s * win.strides[i]! +
      win.dilations[i]! * (win.kernel[i]! - 1) -
      win.before[i]! -
      win.after[i]!,
  );
  const cut = spatial.map((s, i) => Math.min(0, reach[i]! - s));
  return g.pad(d, new Array(spatial.length + 2).fill(0), [0, 0, ...cut]);
}

/** ConvTranspose states padding directly, or through auto_pad or output_shape. */
function transposedWindow(node: Node, input: Shape, output: Shape, kernel: Shape): Window {
  const base = windowOf(
    { ...node, attributes: { ...node.attributes, auto_pad: { type: 'string', value: 'NOTSET' } } },
    input,
    output,
    kernel,
  );
  const auto = stringOf(node, 'auto_pad', 'NOTSET');
  if (!auto.startsWith('SAME') && node.attributes['output_shape'] === undefined) return base;
  const extra = intsOf(node, 'output_padding', new Array(kernel.length).fill(0));
  const total = kernel.map((k, i) =>
    Math.max(
      0,
      base.strides[i]! * (input[i]! - 1) +
        extra[i]! +
        (k - 1) * base.dilations[i]! +
        1 -
        output[i]!,
    ),
  );
  const small = total.map((t) => Math.floor(t / 2));
  const large = total.map((t) => Math.ceil(t / 2));
  const upper = auto === 'SAME_UPPER';
  return { ...base, before: upper ? small : large, after: upper ? large : small };
}

const spatialAndBatch = (shape: Shape) => range(shape.length).filter((i) => i !== 1);

function attributesOf(win: Window): Record<string, Attribute> {
  return {
    kernel_shape: ints(win.kernel),
    strides: ints(win.strides),
    dilations: ints(win.dilations),
    pads: ints([...win.before, ...win.after]),
    group: { type: 'int', value: win.group },
  };
}

/** dX of a convolution. With stride 1 a plain Conv with the flipped, transposed weights: several times faster. */
export function inputGradient(
  g: GraphBuilder,
  d: Value,
  w: Value,
  input: Shape,
  win: Window,
): Value {
  const reach = win.kernel.map((k, i) => win.dilations[i]! * (k - 1));
  const before = reach.map((r, i) => r - win.before[i]!);
  const after = reach.map((r, i) => r - win.after[i]!);
  const plain = win.strides.every((s) => s === 1) && [...before, ...after].every((p) => p >= 0);
  if (plain) {
    const attributes = attributesOf({ ...win, before, after });
    return g.op('Conv', [d, flipped(g, w, win.group)], input, attributes);
  }
  const out = shapeOf(d).slice(2);
  const padding = out.map(
    (o, i) =>
      input[i + 2]! - ((o - 1) * win.strides[i]! + reach[i]! + 1 - win.before[i]! - win.after[i]!),
  );
  const attributes = { ...attributesOf(win), output_padding: ints(padding) };
  return g.op('ConvTranspose', [d, w], input, attributes);
}

/**
 * W (M, C/g, K…) → (C, M/g, K…) with every tap axis reversed. Reversing all of them is reversing the taps in a row, and a product with
 * the exchange matrix does that several times faster than Slice with steps of −1.
 */
function flipped(g: GraphBuilder, w: Value, group: number): Value {
  const [m, c, ...kernel] = shapeOf(w) as [number, number, ...number[]];
  const taps = sizeOf(kernel);
  const split = g.reshape(w, [group, m / group, c, taps]);
  const swapped = g.reshape(g.transpose(split, [0, 2, 1, 3]), [c * m, taps]);
  const reversed = taps === 1 ? swapped : g.matmul(swapped, exchange(g, taps, w));
  return g.reshape(reversed, [group * c, m / group, ...kernel]);
}

/** Ones on the other diagonal. */
function exchange(g: GraphBuilder, n: number, like: Value): Value {
  const ones = range(n * n).map((i) => (Math.floor(i / n) + (i % n) === n - 1 ? 1 : 0));
  return g.floats([n, n], ones, like);
}

/**
 * dW[m, c, k] = Σ_{n, o} dY[n, m, o]·X[n, c, s·o + d·k − p]: one matrix product of dY with the patches of X.
 *
 * The patches are written by a depthwise Conv whose kernels are one-hot: that pads, strides and copies in several threads at
 * once, in the order of the weight, and takes half the time of one Slice per tap and a Concat (the textbook form, a Conv
 * with batch and channels exchanged, takes several times more).
 */
export function weightGradient(
  g: GraphBuilder,
  x: Value,
  d: Value,
  weight: Shape,
  win: Window,
): Value {
  const [m, cPerGroup, ...kernel] = weight as [number, number, ...number[]];
  const [n, , ...out] = shapeOf(d) as [number, number, ...number[]];
  const [group, length, taps] = [win.group, sizeOf(out), sizeOf(kernel)];
  if (cPerGroup === 1 && m === group) return depthwiseGradient(g, x, d, weight, win);
  const mirrored = mirroredWindow(win, m, cPerGroup);
  if (mirrored) return throughOutputPatches(g, x, d, weight, mirrored);
  const batch = group === 1 ? [n] : [n, group];
  const columns = g.reshape(patches(g, x, out, win), [...batch, cPerGroup * taps, length]);
  const product = g.matmul(g.reshape(d, [...batch, m / group, length]), g.swap(columns));
  return g.reshape(sumOverBatch(g, product), weight);
}

/**
 * Sum over the first axis, as a product with ones: several times faster than ReduceSum there. The result has the other axes.
 */
function sumOverBatch(g: GraphBuilder, v: Value): Value {
  const [n, ...rest] = shapeOf(v) as [number, ...number[]];
  if (n === 1) return g.reshape(v, rest);
  const ones = g.floats([1, n], new Array(n).fill(1), v);
  return g.reshape(g.matmul(ones, g.reshape(v, [n, sizeOf(rest)])), rest);
}

/** How many times fewer outputs than inputs make it worth to take patches of dY instead. */
const FEWER = 1.15;

/** The window by which positions of X see dY; undefined where patches of X are the better, or the only, way. */
function mirroredWindow(win: Window, outputs: number, inputs: number): Window | undefined {
  const before = win.kernel.map((k, i) => win.dilations[i]! * (k - 1) - win.before[i]!);
  const isPlain =
    win.group === 1 && win.strides.every((s) => s === 1) && before.every((b) => b >= 0);
  const taps = sizeOf(win.kernel);
  return isPlain && taps > 1 && taps <= MOST_TAPS && outputs * FEWER < inputs
    ? { ...win, before }
    : undefined;
}

/** dW[m, c, k] = Σ_{n, q} dY[n, m, q − d·k + p]·X[n, c, q]: patches of dY, with the taps the other way round. */
function throughOutputPatches(
  g: GraphBuilder,
  x: Value,
  d: Value,
  weight: Shape,
  mirrored: Window,
): Value {
  const [m, c, ...kernel] = weight as [number, number, ...number[]];
  const [n, , ...spatial] = shapeOf(x) as [number, number, ...number[]];
  const [taps, length] = [sizeOf(kernel), sizeOf(spatial)];
  const rows = g.reshape(patches(g, d, spatial, mirrored), [n, m * taps, length]);
  const product = sumOverBatch(g, g.matmul(rows, g.swap(g.reshape(x, [n, c, length]))));
  const swapped = g.reshape(g.transpose(g.reshape(product, [m, taps, c]), [0, 2, 1]), [
    m * c,
    taps,
  ]);
  return g.reshape(g.matmul(swapped, exchange(g, taps, x)), weight);
}

/** Largest number of taps whose patches a one-hot Conv writes: its kernels have taps² numbers per channel. */
const MOST_TAPS = 64;

/** What each position's kernel meets: (N, C·taps, O…), the taps of a channel side by side. */
function patches(g: GraphBuilder, x: Value, out: Shape, win: Window): Value {
  const [n, channels, ...spatial] = shapeOf(x) as [number, number, ...number[]];
  const taps = sizeOf(win.kernel);
  const reach = win.kernel.map((k, i) => win.dilations[i]! * (k - 1) + 1);
  const after = out.map(
    (o, i) => (o - 1) * win.strides[i]! + reach[i]! - spatial[i]! - win.before[i]!,
  );
  if (taps === 1 && win.strides.every((s) => s === 1) && after.every((a) => a === 0)) return x;
  if (taps > MOST_TAPS) {
    const pieces = tapSlices(g, x, out, win).map((p) => g.reshape(p, [n, channels, 1, ...out]));
    return g.reshape(g.concat(pieces, 2), [n, channels * taps, ...out]);
  }
  // Rows and columns that no kernel reaches are cut first: a Conv has no negative padding.
  const unreached = after.map((a) => Math.min(a, 0));
  const kept = g.pad(x, [0, 0, ...out.map(() => 0)], [0, 0, ...unreached]);
  const oneHot = new Float32Array(channels * taps * taps);
  for (let row = 0; row < channels * taps; row++) oneHot[row * taps + (row % taps)] = 1;
  const kernels = g.floats([channels * taps, 1, ...win.kernel], oneHot, x);
  const padding = { before: win.before, after: after.map((a) => Math.max(a, 0)) };
  const attributes = attributesOf({ ...win, ...padding, group: channels });
  return g.op('Conv', [kept, kernels], [n, channels * taps, ...out], attributes);
}

/** One channel per group: a sum of products per tap. */
function depthwiseGradient(g: GraphBuilder, x: Value, d: Value, weight: Shape, win: Window): Value {
  const sums = tapSlices(g, x, shapeOf(d).slice(2), win).map((p) =>
    g.reshape(g.sum(g.mul(p, d), spatialAndBatch(shapeOf(d)), false), [weight[0]!, 1]),
  );
  return g.reshape(g.concat(sums, 1), weight);
}

/** For each tap, row-major, the inputs that it meets: (N, C, O…). */
function tapSlices(g: GraphBuilder, x: Value, out: Shape, win: Window): Value[] {
  const axes = range(out.length);
  const spatial = shapeOf(x).slice(2);
  const need = axes.map(
    (i) => (out[i]! - 1) * win.strides[i]! + win.dilations[i]! * (win.kernel[i]! - 1) + 1,
  );
  const after = axes.map((i) => need[i]! - spatial[i]! - win.before[i]!);
  const padded = g.pad(x, [0, 0, ...win.before], [0, 0, ...after.map((a) => Math.max(a, 0))]);
  if (sizeOf(win.kernel) === 1 && win.strides.every((s) => s === 1) && after.every((a) => a === 0))
    return [padded];
  return range(sizeOf(win.kernel)).map((k) => {
    const tap = unravel(k, win.kernel);
    const starts = axes.map((i) => tap[i]! * win.dilations[i]!);
    const ends = axes.map((i) => starts[i]! + (out[i]! - 1) * win.strides[i]! + 1);
    return g.slice(
      padded,
      axes.map((i) => i + 2),
      starts,
      ends,
      win.strides,
    );
  });
}

/** Row-major position `k` in a box of the given shape, per axis. */
export function unravel(k: number, shape: Shape): number[] {
  let rest = k;
  return shape
    .toReversed()
    .map((size) => {
      const at = rest % size;
      rest = Math.floor(rest / size);
      return at;
    })
    .toReversed();
}
