/** @file YOLO label files: one box or polygon a line, in shares of the image. */

import { basename, dirname, extname, join, sep } from 'node:path';

/** class, cx, cy, w, h: shares of the image's width and height. */
export type Row = readonly [cls: number, cx: number, cy: number, w: number, h: number];

export interface LabelProblem {
  readonly line: number; // from 1
  readonly found: string;
  readonly valid: string;
}

export interface Labels {
  readonly rows: readonly Row[];
  readonly problems: readonly LabelProblem[];
  /** Rows whose values lay a little outside 0…1 and were moved to the border. */
  readonly clipped: number;
  /** Rows of zero width or height, left out: nothing can match them. */
  readonly empty: number;
}

export interface LabelRules {
  /** Undefined: not stated; any class ≥ 0 is valid. */
  readonly classCount: number | undefined;
  /** Values of a row's keypoints, after the box: data.yaml's kpt_shape. */
  readonly keypointValues: number;
}

/** A value this far outside 0…1 is rounding by the labelling tool; farther out it is a mistake. */
const SLACK = 0.05;

/**
 * Where the labels of an image are: the last folder called `images` on its path becomes `labels`, the extension
 * .txt. Without such a folder they lie beside the image.
 */
export function labelFile(image: string): string {
  const name = `${basename(image, extname(image))}.txt`;
  const folders = dirname(image).split(sep);
  const at = folders.lastIndexOf('images');
  if (at >= 0) folders[at] = 'labels';
  return join(folders.join(sep) || sep, name);
}

/** Read one label file. Every line that is invalid becomes a problem; the others become rows. */
export function parseLabels(text: string, rules: LabelRules): Labels {
  const rows: Row[] = [];
  const problems: LabelProblem[] = [];
  let clipped = 0;
  let empty = 0;
  for (const [i, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    if (line.trim() === '') continue;
    const row = parseRow(line.trim().split(/[\s,]+/), rules);
    if ('found' in row) problems.push({ line: i + 1, ...row });
    else if (row.box[3] === 0 || row.box[4] === 0) empty++;
    else {
      rows.push(row.box);
      if (row.clipped) clipped++;
    }
  }
  return { rows, problems, clipped, empty };
}

type Parsed = { readonly box: Row; readonly clipped: boolean } | Omit<LabelProblem, 'line'>;

function parseRow(words: readonly string[], { classCount, keypointValues }: LabelRules): Parsed {
  const values = words.map((word) => (/^[+-]?(\d|\.\d)/.test(word) ? Number(word) : Number.NaN));
  const bad = values.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0)
    return { found: `'${words[bad]!.slice(0, 40)}' as value ${bad + 1}`, valid: 'a finite number' };

  const cls = values[0]!;
  if (!Number.isInteger(cls) || cls < 0 || (classCount !== undefined && cls >= classCount))
    return {
      found: `class ${words[0]}`,
      valid: classCount === undefined ? 'a whole number from 0' : `0 to ${classCount - 1}`,
    };

  const shares = sharesOf(values.slice(1), keypointValues);
  if (shares === undefined)
    return {
      found: `${words.length} values`,
      valid: 'class cx cy w h, or class and at least three points x y of a polygon',
    };
  const outside = shares.findIndex((v) => v < -SLACK || v > 1 + SLACK);
  if (outside >= 0)
    return {
      found: `${words[outside + 1]} as value ${outside + 2}`,
      valid: 'a share of the image from 0 to 1',
    };
  if (shares.length === 4 && (shares[2]! < 0 || shares[3]! < 0))
    return { found: `width ${words[3]}, height ${words[4]}`, valid: 'a size from 0 to 1' };

  const inside = shares.map((v) => Math.min(1, Math.max(0, v)));
  const box = inside.length === 4 ? inside : polygonBox(inside);
  return {
    box: [cls, ...(box as [number, number, number, number])],
    clipped: shares.some((v, i) => v !== inside[i]),
  };
}

/** The values that are shares of the image: a box's four, or a polygon's; undefined where the count fits neither. */
function sharesOf(
  values: readonly number[],
  keypointValues: number,
): readonly number[] | undefined {
  if (values.length === 4) return values;
  if (keypointValues > 0 && values.length === 4 + keypointValues) return values.slice(0, 4);
  return values.length >= 6 && values.length % 2 === 0 ? values : undefined;
}

/** The smallest box around a polygon's points x₁ y₁ x₂ y₂ … as cx, cy, w, h. */
function polygonBox(points: readonly number[]): [number, number, number, number] {
  const x = points.filter((_, i) => i % 2 === 0);
  const y = points.filter((_, i) => i % 2 === 1);
  const [left, right, top, bottom] = [
    Math.min(...x),
    Math.max(...x),
    Math.min(...y),
    Math.max(...y),
  ];
  return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top];
}
