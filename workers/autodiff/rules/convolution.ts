/** @file Gradients of Conv and ConvTranspose, of any number of spatial axes. */

import { intOf, ints, intsOf, stringOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Attribute, Node, Value } from '../../onnx/graph.ts';
import { range, type Shape, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';
import { exchanged } from './exchanged.ts';

/** Where a kernel stands over its input: one entry per spatial axis. */
export interface Window {
  readonly kernel: Shape;
  readonly strides: Shape;
  readonly dilations: Shape;
  readonly before: Shape;
  readonly after: Shape;
  readonly group: number;
}

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

/** Of a Conv with known shapes. */
export const windowAt = (node: Node): Window => {
  const [x, w] = node.inputs as [Value, Value];
  const sizes = (v: Value) => shapeOf(v).slice(2);
  return windowOf(node, sizes(x), sizes(node.outputs[0]!), sizes(w));
};

/**
 * Y[n, m, o] = b[m] + Σ_{c, k} W[m, c, k]·X[n, c, s·o + d·k − p]
 *
 *     dX = transposed convolution of dY with W     dW = Σ_n dY · (patches of X)ᵀ     db = Σ_{n, o} dY
 *
 * Shapes: X (N, C, S…), W (M, C/g, K…), Y (N, M, O…).
 */
export const conv: GradientRule = ({ node, x: [x, w], dy: [d], g }) => {
  const win = windowAt(node);
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
export function transposedWindow(node: Node, input: Shape, output: Shape, kernel: Shape): Window {
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

export function attributesOf(win: Window): Record<string, Attribute> {
  return {
    kernel_shape: ints(win.kernel),
    strides: ints(win.strides),
    dilations: ints(win.dilations),
    pads: ints([...win.before, ...win.after]),
    group: { type: 'int', value: win.group },
  };
}

/** dX of a convolution. */
export function inputGradient(
  g: GraphBuilder,
  d: Value,
  w: Value,
  input: Shape,
  win: Window,
): Value {
  const padding = shapeOf(d)
    .slice(2)
    .map((o, i) => {
      const reach = win.dilations[i]! * (win.kernel[i]! - 1) + 1;
      return input[i + 2]! - ((o - 1) * win.strides[i]! + reach - win.before[i]! - win.after[i]!);
    });
  const attributes = { ...attributesOf(win), output_padding: ints(padding) };
  return g.op('ConvTranspose', [d, w], input, attributes);
}

/**
 * dW[m, c, k] = Σ_{n, o} dY[n, m, o]·X[n, c, s·o + d·k − p]: one matrix product of patches of dY with patches of X.
 *
 * The taps of an axis of stride 1 may be laid out on either side, for q = s·o + d·k − p can be counted instead of o:
 *
 *     dW[m, c, (i, j)] = Σ_{n, q, o} dY[n, m, q − d·i + p, o]·X[n, c, q, s·o + d·j − p]
 *
 * With three taps on each side of a 3 × 3 kernel the patches hold 3·(M + C) rows instead of 9·C, and the product is the same.
 * Patches are written by a depthwise Conv whose kernels are one-hot: that pads, strides and copies in several threads at
 * once, and takes half the time of one Slice per tap and a Concat (the textbook form, a Conv with batch and channels
 * exchanged, takes several times more).
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
  if (cPerGroup === 1 && m === win.group) return depthwiseGradient(g, x, d, weight, win);
  const { lead, extents } = cheapestSplit(win, weight, shapeOf(x).slice(2), out, n);
  const [ahead, behind] = [sizeOf(kernel.slice(0, lead)), sizeOf(kernel.slice(lead))];
  const batch = win.group === 1 ? [n] : [n, win.group];
  const length = sizeOf(extents);
  const dPatches = patches(g, d, extents, mirrored(win, lead), 'reversed');
  const rows = g.reshape(dPatches, [...batch, (m / win.group) * ahead, length]);
  const xPatches = patches(g, x, extents, trailing(win, lead), 'forward');
  const columns = g.reshape(xPatches, [...batch, cPerGroup * behind, length]);
  if (ahead === 1 && win.group === 1 && cPerGroup * behind > m) {
    // The runtime packs the second factor before it multiplies: the smaller one costs less.
    const turned = sumOverBatch(g, g.matmul(columns, g.swap(rows)));
    return g.reshape(g.swap(turned), weight);
  }
  const product = sumOverBatch(g, g.matmul(rows, g.swap(columns)));
  if (ahead === 1) return g.reshape(product, weight);
  return g.reshape(exchanged(g, product, [m, ahead, cPerGroup, behind], 1), weight);
}

/** Weights of what a split costs, per number: to write a patch, each tap of that, to turn a weight, to multiply and add. */
const COST = { write: 1, tap: 0.15, turn: 2, product: 0.05 };

/**
 * How many leading axes have their taps on dY's side, and the positions that are then summed over: X's along these axes,
 * Y's along the others. The cheapest by `COST`.
 */
function cheapestSplit(win: Window, weight: Shape, spatial: Shape, out: Shape, n: number) {
  const [m, c, ...kernel] = weight as [number, number, ...number[]];
  const splits = range(kernel.length + 1)
    .filter((lead) => lead === 0 || canLead(win, lead))
    .map((lead) => {
      const extents = [...spatial.slice(0, lead), ...out.slice(lead)];
      const [ahead, behind] = [sizeOf(kernel.slice(0, lead)), sizeOf(kernel.slice(lead))];
      const perPosition =
        writing(m, ahead) + writing(c * win.group, behind) + COST.product * m * c * ahead * behind;
      const turning = ahead === 1 ? 0 : COST.turn * m * c * ahead * behind;
      return { lead, extents, cost: n * sizeOf(extents) * perPosition + turning };
    });
  return splits.reduce((best, split) => (split.cost < best.cost ? split : best));
}

const writing = (channels: number, taps: number) =>
  taps === 1 ? 0 : channels * taps * (COST.write + COST.tap * taps);

/** Whether the taps of the first `lead` axes can be laid out on dY: stride 1, and no padding beyond the kernel's reach. */
function canLead(win: Window, lead: number): boolean {
  return range(lead).every((i) => win.strides[i] === 1 && mirroredPad(win, i) >= 0);
}

const mirroredPad = (win: Window, i: number) =>
  win.dilations[i]! * (win.kernel[i]! - 1) - win.before[i]!;

/** The window by which positions of X see dY along the first `lead` axes; one tap along the others. */
function mirrored(win: Window, lead: number): Window {
  const of = (inside: (i: number) => number, outside: number) =>
    win.kernel.map((_, i) => (i < lead ? inside(i) : outside));
  return {
    ...win,
    kernel: of((i) => win.kernel[i]!, 1),
    strides: of(() => 1, 1),
    before: of((i) => mirroredPad(win, i), 0),
  };
}

/** The window by which outputs see X along the axes after the first `lead`; one tap along those. */
function trailing(win: Window, lead: number): Window {
  const of = (values: Shape, outside: number) => values.map((v, i) => (i < lead ? outside : v));
  return { ...win, kernel: of(win.kernel, 1), before: of(win.before, 0) };
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

/** Largest number of taps whose patches a one-hot Conv writes: its kernels have taps² numbers per channel. */
const MOST_TAPS = 64;

/** What each position's kernel meets: (N, C·taps, O…), the taps of a channel side by side, the last first where reversed. */
function patches(
  g: GraphBuilder,
  x: Value,
  out: Shape,
  win: Window,
  order: 'forward' | 'reversed',
): Value {
  const [n, channels, ...spatial] = shapeOf(x) as [number, number, ...number[]];
  const taps = sizeOf(win.kernel);
  const reach = win.kernel.map((k, i) => win.dilations[i]! * (k - 1) + 1);
  const after = out.map(
    (o, i) => (o - 1) * win.strides[i]! + reach[i]! - spatial[i]! - win.before[i]!,
  );
  if (taps === 1 && win.strides.every((s) => s === 1) && after.every((a) => a === 0)) return x;
  if (taps > MOST_TAPS) {
    const slices = tapSlices(g, x, out, win);
    const ordered = order === 'forward' ? slices : slices.toReversed();
    const pieces = ordered.map((p) => g.reshape(p, [n, channels, 1, ...out]));
    return g.reshape(g.concat(pieces, 2), [n, channels * taps, ...out]);
  }
  // Rows and columns that no kernel reaches are cut first: a Conv has no negative padding.
  const unreached = after.map((a) => Math.min(a, 0));
  const kept = g.pad(x, [0, 0, ...out.map(() => 0)], [0, 0, ...unreached]);
  const oneHot = new Float32Array(channels * taps * taps);
  const tapOf = (row: number) => (order === 'forward' ? row % taps : taps - 1 - (row % taps));
  for (let row = 0; row < channels * taps; row++) oneHot[row * taps + tapOf(row)] = 1;
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
