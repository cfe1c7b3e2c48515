/** @file Task-aligned assignment: which cells are to find which labelled box, and how surely (Feng 2021, TOOD). */

import { int } from '../../../onnx/attributes.ts';
import type { GraphBuilder } from '../../../onnx/builder.ts';
import type { Value } from '../../../onnx/graph.ts';
import { shapeOf } from '../../../onnx/static-shapes.ts';
import { Tensor } from '../../../onnx/tensor.ts';
import { atLeastZero, type Corners, completeIoU } from './boxes.ts';

/** Cells that one box may claim. */
const CANDIDATES = 10;
/** Sides are raised to this for the question whether a cell's centre is inside: small boxes find cells too. */
const SMALLEST_SIDE = 16;

export interface Predictions {
  /** Decoded boxes in input pixels: four values [B, 1, A]. */
  readonly boxes: Corners;
  /** [B, classes, A], logits. */
  readonly logits: Value;
  /** Centres of the cells in input pixels: [1, 1, A] each. */
  readonly centres: readonly [x: Value, y: Value];
}

export interface Assignment {
  /** Target score per cell, [B, 1, A]: 0 where nothing is assigned. */
  readonly score: Value;
  /** The assigned box, four values [B, 1, A]; anything where the score is 0. */
  readonly box: Corners;
  /** Class of the assigned box, [B, 1, A] int64. */
  readonly cls: Value;
}

/**
 * For box g and cell a:  t = s^½·u⁶, s the score of g's class at a, u = max(CIoU, 0). Each box claims its 10 cells with the
 * largest t > 0 among those whose centre is inside it; a cell claimed twice goes to the largest u of all boxes around it. Target score: t·(max u of
 * the box) / (max t of the box + 1e-9), maxima over the cells that it keeps.
 *
 * The number of boxes stays symbolic, so that one session takes batches with any number of them.
 *
 * @param boxes [B, G, 4] x1 y1 x2 y2 in input pixels @param classes [B, G] int64, −1 is padding
 */
export function assign(
  g: GraphBuilder,
  boxes: Value,
  classes: Value,
  predictions: Predictions,
): Assignment {
  const [batch, most] = shapeOf(classes) as [number, number];
  const anchors = shapeOf(predictions.logits)[2]!;
  const box = corners(g, boxes);
  const exists = g.compare('GreaterOrEqual', lastAxis(g, classes), g.tensor(Tensor.int64([], [0])));
  const candidate = both(g, isInside(g, box, predictions.centres), exists);
  const s = scoresOf(g, predictions.logits, classes, [batch, most, anchors]);
  const u = atLeastZero(g, completeIoU(g, box, predictions.boxes));
  const u2 = g.mul(u, u);
  const alignment = g.mul(g.sqrt(s), g.mul(u2, g.mul(u2, u2)));
  const t = g.where(candidate, alignment, g.scalar(0, alignment));
  const claims = both(g, amongLargest(g, t), g.compare('Greater', t, g.scalar(0, t)));

  const count = g.sum(g.indicator(claims, t), [1]);
  const twice = g.compare('Greater', count, g.scalar(1.5, t));
  const contenders = g.binary('Or', claims, both(g, twice, candidate), 'bool');
  const ranked = g.where(contenders, u, g.scalar(-1, u));
  const winner = g.op('ArgMax', [ranked], [batch, 1, anchors], { axis: int(1) }, 'int64');
  const claimed = g.compare('Greater', count, g.scalar(0.5, t));
  const kept = both(g, claimed, g.compare('Equal', winner, numbers(g, classes)));
  const best = (v: Value) => g.reduce('ReduceMax', g.where(kept, v, g.scalar(0, v)), [2]);
  const normalized = g.div(g.mul(t, best(u)), g.plus(best(t), 1e-9));
  const score = g.sum(g.where(kept, normalized, g.scalar(0, t)), [1]);

  const pick = (v: Value) => pickWinner(g, v, winner);
  return {
    score,
    box: box.map((v) => pick(dropAxis(g, v))) as unknown as Corners,
    cls: pick(classes),
  };
}

const both = (g: GraphBuilder, a: Value, b: Value) => g.binary('And', a, b, 'bool');
const lastAxis = (g: GraphBuilder, v: Value) =>
  g.op('Unsqueeze', [v, g.ints([2])], [...shapeOf(v), 1]);
const dropAxis = (g: GraphBuilder, v: Value) =>
  g.op('Squeeze', [v, g.ints([2])], shapeOf(v).slice(0, 2));

/** [B, G, 4] → four values [B, G, 1]. */
function corners(g: GraphBuilder, boxes: Value): Corners {
  return [0, 1, 2, 3].map((i) => g.slice(boxes, [2], [i], [i + 1], [1])) as unknown as Corners;
}

/** Whether a centre lies strictly inside a box whose sides were raised about its middle. */
function isInside(
  g: GraphBuilder,
  [x1, y1, x2, y2]: Corners,
  [cx, cy]: Predictions['centres'],
): Value {
  const along = (low: Value, high: Value, centre: Value) => {
    const middle = g.scale(g.add(low, high), 0.5);
    const size = g.sub(high, low);
    const half = g.scale(g.binary('Max', size, g.scalar(SMALLEST_SIDE, size)), 0.5);
    const from = g.sub(centre, g.sub(middle, half));
    return g.binary('Min', from, g.sub(g.add(middle, half), centre));
  };
  const margin = g.binary('Min', along(x1, x2, cx), along(y1, y2, cy));
  return g.compare('Greater', margin, g.scalar(1e-9, margin));
}

/** σ(logits[b, classes[b, g], a]): [B, G, A]. */
function scoresOf(g: GraphBuilder, logits: Value, classes: Value, shape: readonly number[]): Value {
  const picked = g.op('GatherND', [logits, lastAxis(g, classes)], shape, { batch_dims: int(1) });
  return g.sigmoid(picked);
}

/** Whether an entry is among the `CANDIDATES` largest along the last axis; equal entries: the first. */
function amongLargest(g: GraphBuilder, t: Value): Value {
  const [batch, count, anchors] = shapeOf(t) as [number, number, number];
  const k = Math.min(CANDIDATES, anchors);
  const top = [batch, count, k];
  const [, indices] = topK(g, t, k, top);
  const full = (x: number, like: Value, shape: readonly number[]) =>
    g.op('Expand', [g.scalar(x, t), g.op('Shape', [like], [3], {}, 'int64')], shape);
  const inputs = [full(0, t, shapeOf(t)), indices, full(1, indices, top)];
  const marks = g.op('ScatterElements', inputs, [batch, count, anchors], { axis: int(2) });
  return g.compare('Greater', marks, g.scalar(0.5, marks));
}

function topK(g: GraphBuilder, t: Value, k: number, shape: readonly number[]): [Value, Value] {
  const [values, indices] = g.ops('TopK', [t, g.ints([k])], [shape, shape], { axis: int(2) });
  indices!.type = { kind: 'tensor', dtype: 'int64', shape };
  return [values!, indices!];
}

/** 0, 1, … G − 1 as [1, G, 1]. */
function numbers(g: GraphBuilder, classes: Value): Value {
  const scalar = (x: number) => g.tensor(Tensor.int64([], [x]));
  const count = shapeOf(classes)[1]!;
  const size = g.gather(g.op('Shape', [classes], [2], {}, 'int64'), scalar(1), 0);
  const range = g.op('Range', [scalar(0), size, scalar(1)], [count]);
  return g.op('Unsqueeze', [range, g.ints([0, 2])], [1, count, 1]);
}

/** v[b, winner[b, 0, a]] for v [B, G]: [B, 1, A]. */
function pickWinner(g: GraphBuilder, v: Value, winner: Value): Value {
  const [batch, , anchors] = shapeOf(winner) as [number, number, number];
  const index = g.reshape(winner, [batch, anchors]);
  const picked = g.op('GatherElements', [v, index], [batch, anchors], { axis: int(1) });
  return g.reshape(picked, [batch, 1, anchors]);
}
