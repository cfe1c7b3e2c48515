/** @file Every (anchor, class) pair of a detector's output that scores, as boxes in input pixels. */

import { ServiceError } from '../../../src/contract/errors.ts';
import type { Plane } from '../task.ts';
import { gridDecoder } from './grid.ts';
import type { DetectHead } from './head.ts';
import { byFallingScore, type Candidates } from './nms.ts';

/** At most this many candidates, the best by score, go into suppression. */
const MOST_CANDIDATES = 30_000;

type Dense = Extract<DetectHead, { kind: 'dense' }>;

/** Reads column `c` of candidate `a`, whichever axis candidates are on. */
interface Columns {
  readonly count: number;
  at(column: number, candidate: number): number;
}

/**
 * Candidates whose score (class score, times objectness where the head has one) exceeds `confidence`: one per class
 * and anchor, the best MOST_CANDIDATES of them in the order anchor by anchor.
 *
 * @param plane [1, C, A] or [1, A, C]; of a larger batch the first image is read
 * @param input [height, width] of the model input
 */
export function denseCandidates(
  plane: Plane,
  head: Dense,
  input: readonly [number, number],
  confidence: number,
): Candidates {
  const columns = columnsOf(plane, head);
  const firstScore = head.objectness ? 5 : 4;
  const toPixels = head.boxes === 'grid' ? gridDecoder(columns.count, input) : undefined;
  const boxes: number[] = [];
  const scores: number[] = [];
  const classes: number[] = [];
  for (let a = 0; a < columns.count; a++) {
    const objectness = head.objectness ? columns.at(4, a) : 1;
    if (!(objectness > confidence)) continue;
    let box: readonly number[] | undefined;
    for (let c = 0; c < head.classes; c++) {
      const score = Math.fround(columns.at(firstScore + c, a) * objectness);
      if (!(score > confidence)) continue;
      box ??= corners(boxAt(columns, a, toPixels));
      boxes.push(...box);
      scores.push(score);
      classes.push(c);
    }
  }
  return best({
    boxes: Float32Array.from(boxes),
    scores: Float32Array.from(scores),
    classes: Int32Array.from(classes),
  });
}

type ToPixels = (candidate: number, box: readonly number[]) => readonly number[];

function boxAt(columns: Columns, a: number, toPixels: ToPixels | undefined): readonly number[] {
  const raw = [columns.at(0, a), columns.at(1, a), columns.at(2, a), columns.at(3, a)];
  return toPixels === undefined ? raw : toPixels(a, raw);
}

/** cx cy w h → x₁ y₁ x₂ y₂ in float32. */
function corners([cx, cy, w, h]: readonly number[]): readonly number[] {
  const [dx, dy] = [w! / 2, h! / 2];
  return [cx! - dx, cy! - dy, cx! + dx, cy! + dy];
}

function columnsOf({ dims, data }: Plane, head: Dense): Columns {
  const width = (head.objectness ? 5 : 4) + head.classes;
  const last = head.candidates === 'last';
  const [columns, count] = last ? [dims[1], dims[2]] : [dims[2], dims[1]];
  if (dims.length !== 3 || columns !== width)
    throw new ServiceError('TASK_DOES_NOT_FIT', {
      task: 'detect',
      why: `output '${head.output}' came out as [${dims.join(', ')}], and ${width} numbers per box were expected`,
    });
  return {
    count: count!,
    at: last ? (c, a) => data[c * count! + a]! : (c, a) => data[a * width + c]!,
  };
}

/** The MOST_CANDIDATES best by score, in their old order. */
function best(all: Candidates): Candidates {
  if (all.scores.length <= MOST_CANDIDATES) return all;
  const chosen = byFallingScore(all.scores).slice(0, MOST_CANDIDATES).sort();
  return {
    boxes: Float32Array.from(
      { length: chosen.length * 4 },
      (_, k) => all.boxes[4 * chosen[k >> 2]! + (k & 3)]!,
    ),
    scores: Float32Array.from(chosen, (i) => all.scores[i]!),
    classes: Int32Array.from(chosen, (i) => all.classes[i]!),
  };
}

/** Rows x₁ y₁ x₂ y₂ score class of an end-to-end output [1, N, 6] that exceed `confidence`, best first. */
export function chosenBoxes({ dims, data }: Plane, confidence: number): Candidates {
  const rows = Array.from({ length: dims[1] ?? 0 }, (_, i) => data.subarray(6 * i, 6 * i + 6));
  const good = rows.filter((row) => row[4]! > confidence).sort((a, b) => b[4]! - a[4]!); // stable
  return {
    boxes: Float32Array.from(good.flatMap((row) => [...row.subarray(0, 4)])),
    scores: Float32Array.from(good, (row) => row[4]!),
    classes: Int32Array.from(good, (row) => Math.round(row[5]!)),
  };
}
