/** @file Non-maximum suppression. */

/** Boxes as corners x₁ y₁ x₂ y₂, flat, float32; one score and one class each. */
export interface Candidates {
  readonly boxes: Float32Array;
  readonly scores: Float32Array;
  readonly classes: Int32Array;
}

/**
 * Greedy suppression within a class: by falling score (lower index first at equal scores) keep a box unless a kept
 * one of its class has IoU > `iou` with it. IoU is computed in float32, and 0/0 counts as not greater.
 *
 * @param most stop once so many are kept
 * @returns indices of the kept boxes, by falling score, then index
 */
export function nms(
  candidates: Candidates,
  iou: number,
  most = Number.POSITIVE_INFINITY,
): number[] {
  const { classes } = candidates;
  const kept: number[] = [];
  const keptOfClass = new Map<number, number[]>();
  for (const i of byFallingScore(candidates.scores)) {
    if (kept.length >= most) break;
    const same = keptOfClass.get(classes[i]!) ?? [];
    keptOfClass.set(classes[i]!, same);
    if (same.some((j) => iouOf(candidates.boxes, i, j) > iou)) continue;
    same.push(i);
    kept.push(i);
  }
  return kept;
}

/** Indices by falling score; equal scores keep their order. NaN counts as the lowest. */
export function byFallingScore(scores: Float32Array): Uint32Array {
  const order = Uint32Array.from(scores, (_, i) => i);
  const value = (i: number) => (Number.isNaN(scores[i]!) ? Number.NEGATIVE_INFINITY : scores[i]!);
  return order.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return x === y ? a - b : x > y ? -1 : 1;
  });
}

/** Intersection over union of boxes i and j, every step rounded to float32. */
function iouOf(b: Float32Array, i: number, j: number): number {
  const f = Math.fround;
  const [p, q] = [4 * i, 4 * j];
  const width = Math.max(0, f(Math.min(b[p + 2]!, b[q + 2]!) - Math.max(b[p]!, b[q]!)));
  const height = Math.max(0, f(Math.min(b[p + 3]!, b[q + 3]!) - Math.max(b[p + 1]!, b[q + 1]!)));
  const both = f(width * height);
  return f(both / f(f(areaOf(b, p) + areaOf(b, q)) - both));
}

const areaOf = (b: Float32Array, p: number): number =>
  Math.fround(Math.fround(b[p + 2]! - b[p]!) * Math.fround(b[p + 3]! - b[p + 1]!));
