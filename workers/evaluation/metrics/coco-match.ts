/** @file COCO evaluation, first half: which detection of one image and class meets which true box. */

/** x, y, width, height in pixels. */
export interface CocoBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface TrueBox extends CocoBox {
  /** As given: of the mask in COCO, else width · height. */
  readonly area: number;
  readonly crowd: boolean;
}

export interface ScoredBox extends CocoBox {
  readonly score: number;
}

/** One image and class under one area range. */
export interface Matches {
  /** By falling score, at most `most` of them. */
  readonly scores: readonly number[];
  /** [threshold][detection]: it met a true box. */
  readonly matched: readonly Uint8Array[];
  /** [threshold][detection]: it counts neither as right nor as wrong. */
  readonly ignored: readonly Uint8Array[];
  /** True boxes that count. */
  readonly truths: number;
}

/** Detections of one image and class with the overlaps that all area ranges share. */
export interface Pair {
  readonly truths: readonly TrueBox[];
  readonly detections: readonly ScoredBox[];
  /** [detection][truth]. */
  readonly iou: readonly Float64Array[];
}

export function pairUp(
  truths: readonly TrueBox[],
  detections: readonly ScoredBox[],
  most: number,
): Pair {
  const best = [...detections].sort((a, b) => b.score - a.score).slice(0, most); // stable
  return {
    truths,
    detections: best,
    iou: best.map((d) => Float64Array.from(truths, (t) => overlap(d, t))),
  };
}

/** Intersection over union; with a crowd, intersection over the detection's area. */
export function overlap(d: CocoBox, t: TrueBox): number {
  const width = Math.min(d.x + d.width, t.x + t.width) - Math.max(d.x, t.x);
  const height = Math.min(d.y + d.height, t.y + t.height) - Math.max(d.y, t.y);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  const area = d.width * d.height;
  return both / (t.crowd ? area : area + t.width * t.height - both);
}

/**
 * Each detection, best first, takes the free true box it overlaps most, if at least by the threshold; a crowd may be
 * taken again. A box that does not count is taken only where no other fits. Unmatched detections outside the area
 * range are ignored. (pycocotools, COCOeval.evaluateImg.)
 */
export function matchPair(
  { truths, detections, iou }: Pair,
  thresholds: readonly number[],
  [least, largest]: readonly [number, number],
): Matches {
  const outside = (area: number) => area < least || area > largest;
  const skip = (t: TrueBox) => t.crowd || outside(t.area);
  const counting = [...truths.keys()].filter((g) => !skip(truths[g]!));
  const order = [...counting, ...[...truths.keys()].filter((g) => skip(truths[g]!))];
  const matched = thresholds.map(() => new Uint8Array(detections.length));
  const ignored = thresholds.map(() => new Uint8Array(detections.length));
  for (const [t, threshold] of thresholds.entries()) {
    const free = new Uint8Array(truths.length).fill(1);
    for (const [d, box] of detections.entries()) {
      const g = bestTruth(iou[d]!, threshold, free, order, counting.length);
      if (g !== undefined) {
        matched[t]![d] = 1;
        if (!truths[g]!.crowd) free[g] = 0;
      }
      const counts = g === undefined ? !outside(box.width * box.height) : !skip(truths[g]!);
      ignored[t]![d] = counts ? 0 : 1;
    }
  }
  return { scores: detections.map((d) => d.score), matched, ignored, truths: counting.length };
}

/** The free true box with the largest overlap ≥ threshold, the last of equals; those that count before the others. */
function bestTruth(
  iou: Float64Array,
  threshold: number,
  free: Uint8Array,
  order: readonly number[],
  counting: number,
): number | undefined {
  let best = Math.min(threshold, 1 - 1e-10);
  let found: number | undefined;
  for (const [k, g] of order.entries()) {
    if (k === counting && found !== undefined) break;
    if (!free[g] || iou[g]! < best) continue;
    best = iou[g]!;
    found = g;
  }
  return found;
}
