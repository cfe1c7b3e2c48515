/** @file ConvTranspose on blocked values: plain Convs, one for each place that an output can have between the strides. */

import { intOf, ints, intsOf } from '../../onnx/attributes.ts';
import { dtypeKnown, type Node, type Value } from '../../onnx/graph.ts';
import { range, type Shape, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import { bias, inBlocksOfInput, isFull } from './convolution.ts';
import type { BlockedLayout, Lowering } from './layout.ts';

/** What outputs s·q + r of one axis see: taps of the kernel, first to last input, over an input padded so. */
interface Phase {
  readonly taps: readonly number[];
  readonly before: number;
  readonly after: number;
}

/**
 * Y[s·q + r] = Σ_k W[k]·X[q + (r + p − k)/s] over the taps k that divide: for each r a Conv of stride 1 with some of the taps, the
 * last first. Their outputs are then laid between each other.
 *
 * Shapes: X (N, M, O…), W (M, C, K…), Y (N, C, s·O…).
 */
export const convTranspose: Lowering = (node, layout) => {
  const [x, w, b] = node.inputs as [Value, Value, Value | undefined];
  const y = node.outputs[0]!;
  const [m, c] = shapeOf(w) as [number, number];
  const phases = phasesOf(node, shapeOf(x).slice(2), shapeOf(y).slice(2), shapeOf(w).slice(2));
  if (!phases || m < layout.block || !isFull(layout, [m, c]) || dtypeKnown(x) !== 'float32')
    return false;
  for (const v of [w, b]) if (v) layout.release(v);
  const input = layout.blocked(x);
  const rows = rowsOf(layout, w);
  const [down, across] = phases;
  const places = down.map((v) =>
    across.map((h) => {
      const inputs = [input, chosen(layout, w, rows, v.taps, h.taps), bias(layout, b, c)];
      const [n, , high, wide] = shapeOf(y) as [number, number, number, number];
      const shape = [n, layout.padded(c), high / down.length, wide / across.length];
      return layout.op('Conv', inputs, shape, {
        kernel_shape: ints([v.taps.length, h.taps.length]),
        pads: ints([v.before, h.before, v.after, h.after]),
      });
    }),
  );
  layout.hold(y, interleaved(layout, places, shapeOf(y)));
  return true;
};

/** Undefined: not two axes, groups, dilation, or places that no plain Conv can see. */
function phasesOf(
  node: Node,
  input: Shape,
  output: Shape,
  kernel: Shape,
): readonly [readonly Phase[], readonly Phase[]] | undefined {
  const plain = intOf(node, 'group', 1) === 1 && node.attributes['auto_pad'] === undefined;
  if (input.length !== 2 || !plain || node.attributes['output_shape']) return undefined;
  if (intsOf(node, 'dilations', [1, 1]).some((d) => d !== 1)) return undefined;
  const strides = intsOf(node, 'strides', [1, 1]);
  const pads = intsOf(node, 'pads', [0, 0, 0, 0]);
  const axes = range(2).map((i) =>
    phasesAlong(input[i]!, output[i]!, kernel[i]!, strides[i]!, pads[i]!),
  );
  const possible = axes.flat().every((p) => p.taps.length > 0 && p.before >= 0 && p.after >= 0);
  const even = range(2).every((i) => output[i]! % strides[i]! === 0);
  return possible && even ? [axes[0]!, axes[1]!] : undefined;
}

function phasesAlong(input: number, output: number, kernel: number, stride: number, pad: number) {
  return range(stride).map((r): Phase => {
    const taps = range(kernel)
      .filter((k) => (r + pad - k) % stride === 0)
      .toReversed();
    const first = (r + pad - taps[0]!) / stride;
    const last = first + taps.length - 1;
    return { taps, before: -first, after: output / stride + last - input };
  });
}

/** W (M, C, K, L) → [M·C/b·K·L + 1, b of C]; the last row is 0. */
function rowsOf(layout: BlockedLayout, w: Value): Value {
  const { g, block } = layout;
  const ordered = inBlocksOfInput(layout, w);
  const rows = g.reshape(ordered, [sizeOf(shapeOf(ordered)) / block, block]);
  return shapeOf(w)[0]! % block === 0 ? rows : g.pad(rows, [0, 0], [1, 0]);
}

/** [C/b, M/b, taps down, taps across, b of M, b of C]: the weights of a Conv from M to C channels, row by row. */
function chosen(
  layout: BlockedLayout,
  w: Value,
  rows: Value,
  down: readonly number[],
  across: readonly number[],
): Value {
  const { g, block } = layout;
  const [m, c, high, wide] = shapeOf(w) as [number, number, number, number];
  const [outer, inner] = [layout.padded(c) / block, layout.padded(m) / block];
  const zero = shapeOf(rows)[0]! - 1;
  const at: number[] = [];
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++)
      for (const v of down)
        for (const h of across)
          for (let k = i * block; k < (i + 1) * block; k++)
            at.push(k < m ? ((k * outer + o) * high + v) * wide + h : zero);
  const picked = g.gather(rows, g.ints(at), 0);
  return g.reshape(picked, [layout.padded(c), layout.padded(m), down.length, across.length]);
}

/** Places (N, C, H/s, W/s), by row and column, to (N, C, H, W): blocks of channels side by side, then whole rows. */
function interleaved(layout: BlockedLayout, places: readonly Value[][], output: Shape): Value {
  const { g, block } = layout;
  if (places.length === 1 && places[0]!.length === 1) return places[0]![0]!;
  const [n, c, high, wide] = output as [number, number, number, number];
  const rows = (n * layout.padded(c) * high) / block / places.length;
  const lines = places.map((line) => {
    const columns = line.map((v) => g.reshape(v, [(rows * wide) / line.length, block]));
    return g.reshape(g.concat(columns, 1), [rows, wide * block]);
  });
  return g.reshape(g.concat(lines, 1), [n, layout.padded(c), high, wide]);
}
