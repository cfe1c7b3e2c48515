/** @file What a data set is once it is open: samples by split. Reading one is in open.ts. */

/** A labelled box in the image's own pixels. */
export interface Box {
  readonly class: number;
  readonly x: number; // left
  readonly y: number; // top
  readonly width: number;
  readonly height: number;
}

export interface Sample {
  /** Posix path inside the data set: names the sample in reports, and orders them. */
  readonly name: string;
  /** Where its image lies on this machine. */
  readonly file: string;
  /** YOLO rows (class, cx, cy, w, h as shares of the image): undefined where the data set has no labels at all; [] is background. */
  readonly boxes?: readonly (readonly [
    cls: number,
    cx: number,
    cy: number,
    w: number,
    h: number,
  ])[];
  /** It has no label file, though others have: background, unless somebody says what is on it. */
  readonly unlabelled?: true;
  /** Class index, for class folders. */
  readonly label?: number;
}

export type Split = 'train' | 'val' | 'test';

export interface Dataset {
  /** sha256:<64 hex> of the manifest. */
  readonly id: string;
  readonly task: 'detect' | 'classify' | 'generic';
  /** Undefined for images alone. */
  readonly classes: readonly string[] | undefined;
  /** In name order. */
  readonly splits: Readonly<Record<Split, readonly Sample[]>>;
  readonly warnings: readonly string[];
}
