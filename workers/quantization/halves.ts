/** @file Whether both halves of the calibration images show the same: if not, ranges of either will not hold for the other. */

/** Fewer images in a half say little. */
const FEWEST = 8;

/** Mean widths of two halves that differ by a larger factor disagree. */
const FACTOR = 1.5;

/** Tensors that must disagree before images are taken to be of other content: single ones do by chance. */
const SHARE = 0.1;

/** Widths (max − min) of one tensor, summed over the images of each half. */
export class HalfWidths {
  readonly #sums: [number, number] = [0, 0];
  readonly #counts: [number, number] = [0, 0];

  add(half: 0 | 1, width: number): void {
    this.#sums[half] += width;
    this.#counts[half]++;
  }

  /** How many times as wide one half is as the other; 1 where there are too few images to say. */
  get ratio(): number {
    if (Math.min(...this.#counts) < FEWEST) return 1;
    const [a, b] = this.#sums.map((sum, i) => sum / this.#counts[i]!) as [number, number];
    if (a === b) return 1;
    return Math.max(a, b) / Math.min(a, b);
  }
}

/** A warning in words, where enough tensors disagree. */
export function disagreement(widths: ReadonlyMap<string, HalfWidths>): string | undefined {
  const apart = [...widths].filter(([, w]) => w.ratio > FACTOR);
  if (apart.length === 0 || apart.length < SHARE * widths.size) return undefined;
  const [worst, { ratio }] = apart.reduce((a, b) => (b[1].ratio > a[1].ratio ? b : a));
  const times = Number.isFinite(ratio) ? `${ratio.toFixed(1)} times` : 'infinitely';
  return `The two halves of the calibration images (in the order of their names) do not show the same: ${apart.length} of ${widths.size} tensors have other ranges, '${worst}' is ${times} as wide in one half as in the other. Ranges may not hold for images like either: calibrate on images like those the model will see.`;
}
