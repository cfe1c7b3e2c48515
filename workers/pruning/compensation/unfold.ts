/** @file Sampled positions of a layer: its input patches and its outputs as columns, gathered inside the graph. */

import { unravel } from '../../autodiff/rules/convolution.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import { Value } from '../../onnx/graph.ts';
import { range, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { Feed } from '../../runtime/session.ts';
import type { Layer } from './layer.ts';

/** Output positions that a layer has: batch × spatial, or rows. */
export const positionsOf = ({ output, outputAxis }: Layer): number =>
  sizeOf(shapeOf(output)) / shapeOf(output)[outputAxis]!;

/** A new input for `count` indices. */
export function indexInput(g: GraphBuilder, name: string, count: number): Value {
  const value = new Value(g.name(name), { kind: 'tensor', dtype: 'int64', shape: [count] });
  g.graph.inputs.push(value);
  return value;
}

export const indexFeed = (indices: readonly number[]): Feed => ({
  dims: [indices.length],
  data: BigInt64Array.from(indices, BigInt),
  dtype: 'int64',
});

/**
 * Outputs at the positions, only the channels that the pruned layer keeps.
 *
 * @param indices as `outputIndices`
 * @returns (kept, positions), float32
 */
export function gatherOutputs(
  g: GraphBuilder,
  { output, outputAxis }: Layer,
  kept: readonly number[],
  indices: Value,
): Value {
  const all = rowsAlong(g, output, outputAxis);
  const sampled = g.gather(all, indices, 1);
  const whole = kept.length === shapeOf(sampled)[0]!;
  return asFloat(g, whole ? sampled : g.gather(sampled, g.ints(kept), 0));
}

/**
 * Input patches at the positions, with a last row of ones per group where the layer has a bias.
 *
 * @param indices as `patchIndices`
 * @returns (groups, columns (+ 1), positions), float32
 */
export function gatherPatches(g: GraphBuilder, layer: Layer, indices: Value): Value {
  const { input, inputAxis, window, groups, columns, bias } = layer;
  const zeros = [0, 0];
  const padded = window
    ? g.pad(input, [...zeros, ...window.before], [...zeros, ...window.after])
    : input;
  const taps = window ? sizeOf(window.kernel) : 1;
  const positions = shapeOf(indices)[0]! / taps;
  const sampled = g.gather(rowsAlong(g, padded, inputAxis), indices, 1);
  const patches = asFloat(g, g.reshape(sampled, [groups, columns, positions]));
  return bias ? g.concat([patches, g.fill(1, [groups, 1, positions], patches)], 1) : patches;
}

/** (entries of the axis, everything else in order). */
function rowsAlong(g: GraphBuilder, v: Value, axis: number): Value {
  const shape = shapeOf(v);
  const moved = g.transpose(v, [axis, ...range(shape.length).filter((i) => i !== axis)]);
  return g.reshape(moved, [shape[axis]!, sizeOf(shape) / shape[axis]!]);
}

const asFloat = (g: GraphBuilder, v: Value): Value =>
  v.type?.kind === 'tensor' && v.type.dtype === 'float32'
    ? v
    : g.op('Cast', [v], shapeOf(v), { to: { type: 'int', value: 1 } }, 'float32');

/** For each kernel tap, row-major, where it meets the padded input at each position. */
export function patchIndices(layer: Layer, positions: readonly number[]): number[] {
  const { window, input, output } = layer;
  if (window === undefined) return [...positions];
  const { kernel, strides, dilations, before, after } = window;
  const size = shapeOf(input)
    .slice(2)
    .map((s, i) => s + before[i]! + after[i]!);
  const out = shapeOf(output).slice(2);
  const corners = positions.map((p) => unravel(p, [shapeOf(output)[0]!, ...out]));
  return range(sizeOf(kernel)).flatMap((t) => {
    const tap = unravel(t, kernel).map((k, i) => k * dilations[i]!);
    return corners.map(([n, ...at]) =>
      at.reduce((place, o, i) => place * size[i]! + o * strides[i]! + tap[i]!, n!),
    );
  });
}
