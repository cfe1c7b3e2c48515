/** @file COCO box evaluation: average precision and recall, as pycocotools computes them. */

import {
  type Matches,
  matchPair,
  type Pair,
  pairUp,
  type ScoredBox,
  type TrueBox,
} from './coco-match.ts';

/** IoU 0.50:0.05:0.95, with the doubles of numpy's linspace. */
export const THRESHOLDS: readonly number[] = Array.from({ length: 10 }, (_, i) =>
  i === 9 ? 0.95 : i * ((0.95 - 0.5) / 9) + 0.5,
);
/** 0, 0.01, … 1. */
export const RECALLS: readonly number[] = Array.from({ length: 101 }, (_, i) => i * 0.01);

const AREAS = {
  all: [0, 1e10],
  small: [0, 32 ** 2],
  medium: [32 ** 2, 96 ** 2],
  large: [96 ** 2, 1e10],
} as const;
export type AreaName = keyof typeof AREAS;

export interface CocoImage {
  /** Class → boxes. */
  readonly truths: ReadonlyMap<number, readonly TrueBox[]>;
  readonly detections: ReadonlyMap<number, readonly ScoredBox[]>;
}

/** One class under one area range. Undefined where no true box counts. */
export interface ClassCurves {
  /** Precision at each recall point: [threshold][recall]. */
  readonly precision: readonly Float64Array[];
  /** Largest recall: [threshold]. */
  readonly recall: readonly number[];
}

export interface CocoOptions {
  /** Detections per image and class that count (best by score); default 100. */
  readonly most?: number;
  readonly area?: AreaName;
}

/**
 * Precision-recall curves of one class over all images, in the order given (ascending image id: it decides between
 * equal scores).
 *
 * precision[t][r] = the largest precision at a recall ≥ r; 0 where that recall is never reached.
 */
export function classCurves(
  images: readonly CocoImage[],
  cls: number,
  { most = 100, area = 'all' }: CocoOptions = {},
): ClassCurves | undefined {
  const matches: Matches[] = [];
  for (const image of images) {
    const truths = image.truths.get(cls) ?? [];
    const detections = image.detections.get(cls) ?? [];
    if (truths.length === 0 && detections.length === 0) continue;
    matches.push(matchPair(pairOf(image, cls, most, truths, detections), THRESHOLDS, AREAS[area]));
  }
  const positives = matches.reduce((n, m) => n + m.truths, 0);
  if (positives === 0) return undefined;
  const ranked = rank(matches);
  const curves = THRESHOLDS.map((_, t) => curveAt(ranked, t, positives));
  return { precision: curves.map((c) => c.precision), recall: curves.map((c) => c.recall) };
}

/** Overlaps are the same for every area range, so they are kept per image. */
const pairs = new WeakMap<CocoImage, Map<string, Pair>>();

function pairOf(
  image: CocoImage,
  cls: number,
  most: number,
  truths: readonly TrueBox[],
  detections: readonly ScoredBox[],
): Pair {
  const ofImage = pairs.get(image) ?? new Map<string, Pair>();
  pairs.set(image, ofImage);
  const key = `${cls} ${most}`;
  const pair = ofImage.get(key) ?? pairUp(truths, detections, most);
  ofImage.set(key, pair);
  return pair;
}

/** Detections of all images by falling score, stable: which match, and where in it. */
type Ranked = readonly { readonly match: Matches; readonly at: number; readonly score: number }[];

function rank(matches: readonly Matches[]): Ranked {
  const all = matches.flatMap((match) => match.scores.map((score, at) => ({ match, at, score })));
  return all.sort((a, b) => b.score - a.score);
}

function curveAt(ranked: Ranked, t: number, positives: number) {
  const recall: number[] = [];
  const precision: number[] = [];
  let right = 0;
  let wrong = 0;
  for (const { match, at } of ranked) {
    if (!match.ignored[t]![at]) {
      if (match.matched[t]![at]) right++;
      else wrong++;
    }
    recall.push(right / positives);
    precision.push(right === 0 ? 0 : right / (wrong + right));
  }
  for (let i = precision.length - 1; i > 0; i--)
    if (precision[i]! > precision[i - 1]!) precision[i - 1] = precision[i]!;
  return { precision: atRecalls(recall, precision), recall: recall.at(-1) ?? 0 };
}

/** `precision` at the first place whose recall is at least each of RECALLS. */
function atRecalls(recall: readonly number[], precision: readonly number[]): Float64Array {
  const result = new Float64Array(RECALLS.length);
  let i = 0;
  for (const [r, least] of RECALLS.entries()) {
    while (i < recall.length && recall[i]! < least) i++;
    if (i === recall.length) break;
    result[r] = precision[i]!;
  }
  return result;
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? -1 : values.reduce((a, b) => a + b, 0) / values.length;

/** Mean precision over recall points, of all thresholds or of one. */
export const averagePrecision = ({ precision }: ClassCurves, threshold?: number): number =>
  mean((threshold === undefined ? precision : [precision[threshold]!]).flatMap((p) => [...p]));

/** The twelve figures of COCO's summary; −1 where no true box counts. */
export function cocoSummary(
  images: readonly CocoImage[],
  classes: readonly number[],
): Record<string, number> {
  const curves = (options: CocoOptions) =>
    classes.flatMap((cls) => classCurves(images, cls, options) ?? []);
  const ap = (c: readonly ClassCurves[], t?: number) =>
    mean(c.map((one) => averagePrecision(one, t)));
  const ar = (c: readonly ClassCurves[]) => mean(c.map((one) => mean(one.recall)));
  const all = curves({});
  const ranges = (['small', 'medium', 'large'] as const).map(
    (area) => [area, curves({ area })] as const,
  );
  return {
    AP: ap(all),
    AP50: ap(all, 0),
    AP75: ap(all, 5),
    ...Object.fromEntries(ranges.map(([area, c]) => [`AP_${area}`, ap(c)])),
    AR1: ar(curves({ most: 1 })),
    AR10: ar(curves({ most: 10 })),
    AR100: ar(all),
    ...Object.fromEntries(ranges.map(([area, c]) => [`AR_${area}`, ar(c)])),
  };
}
