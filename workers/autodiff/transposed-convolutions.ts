/** @file Transposed convolutions of stride 1 as plain ones. */

import type { GraphBuilder } from '../onnx/builder.ts';
import type { Node, Value } from '../onnx/graph.ts';
import { isStatic, range, shapeOf, sizeOf } from '../onnx/static-shapes.ts';
import { attributesOf, transposedWindow } from './rules/convolution.ts';

/**
 * With stride 1, Y is a plain Conv of X with the flipped, transposed weights and padding d·(k − 1) − p, which the runtime
 * computes several times faster than ConvTranspose. Rewrites the graph's nodes from number `from` on.
 */
export function plainTransposed(g: GraphBuilder, from = 0): void {
  const { graph } = g;
  const old = graph.nodes;
  graph.nodes = old.slice(0, from);
  for (const node of old.slice(from)) {
    if (node.op !== 'ConvTranspose' || !asPlain(g, node)) graph.nodes.push(node);
  }
}

function asPlain(g: GraphBuilder, node: Node): boolean {
  const [x, w, b] = node.inputs as [Value, Value, Value | undefined];
  const [y] = node.outputs as [Value];
  if (![x, w, y].every(isStatic)) return false;
  const win = transposedWindow(node, shapeOf(x).slice(2), shapeOf(y).slice(2), shapeOf(w).slice(2));
  const reach = win.kernel.map((k, i) => win.dilations[i]! * (k - 1));
  const before = reach.map((r, i) => r - win.before[i]!);
  const after = range(reach.length).map(
    (i) => shapeOf(y)[i + 2]! + reach[i]! - shapeOf(x)[i + 2]! - before[i]!,
  );
  if (win.strides.some((s) => s !== 1) || [...before, ...after].some((p) => p < 0)) return false;
  const attributes = attributesOf({ ...win, before, after });
  g.op('Conv', [x, flipped(g, w, win.group), b], shapeOf(y), attributes);
  g.graph.nodes.at(-1)!.outputs = [y];
  return true;
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
