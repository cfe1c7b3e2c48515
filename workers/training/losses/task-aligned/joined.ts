/** @file The raw maps of all levels side by side, and the boxes that they say. */

import { int } from '../../../onnx/attributes.ts';
import type { GraphBuilder } from '../../../onnx/builder.ts';
import type { Value } from '../../../onnx/graph.ts';
import { range, shapeOf } from '../../../onnx/static-shapes.ts';
import type { Corners } from './boxes.ts';
import type { Cells } from './cells.ts';
import type { RawMaps } from './raw-maps.ts';

/** Maps of equal channels, [B, channels, A]: level by level, row-major. */
const joined = (g: GraphBuilder, maps: readonly Value[], batch: number): Value =>
  g.concat(
    maps.map((v) => g.reshape(v, [batch, shapeOf(v)[1]!, shapeOf(v)[2]! * shapeOf(v)[3]!])),
    2,
  );

/** Class logits, [B, classes, A]. */
export const joinedClasses = (g: GraphBuilder, { levels }: RawMaps, batch: number): Value =>
  joined(
    g,
    levels.map((level) => level.cls),
    batch,
  );

/** Logits of distances, [B, 4, bins, A]. */
export function joinedBoxes(g: GraphBuilder, { levels, bins }: RawMaps, batch: number): Value {
  const flat = joined(
    g,
    levels.map((level) => level.box),
    batch,
  );
  return g.reshape(flat, [batch, 4, bins, shapeOf(flat)[2]!]);
}

/** ln softmax over the bins: both parts of the loss and the boxes come from it. */
export const logShares = (g: GraphBuilder, logits: Value): Value =>
  g.op('LogSoftmax', [logits], shapeOf(logits), { axis: int(2) });

/** centre ∓ Σ bin·share: corners in cells, [B, 1, A] each. @param log logarithms of the shares, [B, 4, bins, A] */
export function decode(g: GraphBuilder, log: Value, { x, y }: Cells, bins: number): Corners {
  const bin = g.floats([1, 1, bins, 1], range(bins), log);
  const distances = g.sum(g.mul(g.exp(log), bin), [2], false);
  const side = (i: number) => g.slice(distances, [1], [i], [i + 1], [1]);
  return [g.sub(x, side(0)), g.sub(y, side(1)), g.add(x, side(2)), g.add(y, side(3))];
}
