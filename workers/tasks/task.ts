/** @file What a task is: how outputs are decoded and judged. One file per task, one line each in registry.ts. */

import type { Preprocess } from '../../src/contract/preprocess.ts';
import type { PerClass, PrCurve } from '../../src/contract/report.ts';
import type { Sample } from '../data/dataset.ts';
import type { Model } from '../onnx/graph.ts';

/** How one model's outputs are read under one task. */
export interface TaskBinding {
  readonly task: 'detect' | 'classify' | 'generic';
  /** In words, for inspect and the report: "YOLOv8 head, 3 levels, 80 classes". */
  readonly description: string;
  readonly classes: readonly string[] | undefined;
  /** Metric that `maxDrop` is about: map50_95, top1 or agreement. */
  readonly headline: string;
  readonly preprocess: Preprocess;
  /** [height, width] of the input image. */
  readonly inputSize: readonly [number, number];
  /** What decode needs; each task casts its own. */
  readonly head: unknown;
}

/** A plain float32 tensor, as the runtime hands it over. */
export interface Plane {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** A detection in the original image's pixels. */
export interface Detection {
  readonly class: number;
  readonly score: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What one split says about one model. */
export interface Evaluation {
  /** Names and values: map50, map50_95 · top1, top5 · agreement … Empty without labels. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly perClass?: PerClass;
  readonly curves?: readonly PrCurve[];
  readonly images: number;
  /** Per image, what the model said, so that agreement and pictures need no second run. */
  readonly predictions: readonly { readonly sample: Sample; readonly prediction: Prediction }[];
}

export type Prediction =
  | { readonly kind: 'boxes'; readonly boxes: readonly Detection[] }
  | { readonly kind: 'classes'; readonly scores: Float32Array }
  | { readonly kind: 'tensors'; readonly outputs: Readonly<Record<string, Plane>> };

/** Why a model does not fit a task, in words: becomes TASK_DOES_NOT_FIT or a line of `inspect`. */
export interface Misfit {
  readonly misfit: string;
}

export interface Task {
  /** Look at topology, metadata and outputs; never at a file or node name. */
  bind(model: Model): TaskBinding | Misfit;
}
