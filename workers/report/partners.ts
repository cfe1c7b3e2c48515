/** @file Which boxes of one model the other model has too. */

export interface ShownBox {
  readonly class: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const SAME = 0.5;

/**
 * Boxes without a partner on the other side: same class, IoU of at least 0.5, each partner taken once.
 *
 * @param boxes strongest first
 */
export function withoutPartner<Box extends ShownBox>(
  boxes: readonly Box[],
  others: readonly ShownBox[],
): Set<Box> {
  const free = new Set(others);
  const alone = new Set<Box>();
  for (const box of boxes) {
    const best = [...free]
      .filter((o) => o.class === box.class)
      .map((o) => ({ o, overlap: iou(box, o) }))
      .reduce<{ o?: ShownBox; overlap: number }>((a, b) => (b.overlap > a.overlap ? b : a), {
        overlap: 0,
      });
    if (best.o && best.overlap >= SAME) free.delete(best.o);
    else alone.add(box);
  }
  return alone;
}

function iou(a: ShownBox, b: ShownBox): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (a.width * a.height + b.width * b.height - both);
}
