/** @file What a task is: how outputs are decoded and judged. One file per task, one line each in registry.ts. */

import type { Preprocess, PreprocessOption } from '../../src/contract/preprocess.ts';
import type { PerClass, PrCurve } from '../../src/contract/report.ts';
import type { Sample } from '../data/dataset.ts';
import type { Geometry } from '../data/geometry.ts';
import type { Model } from '../onnx/graph.ts';
import type { ModelInput } from './model-input.ts';

/** How one model's outputs are read under one task. */
export interface TaskBinding {
  readonly task: 'detect' | 'classify' | 'generic';
  /** In words, for inspect and the report: "YOLOv8 head, 3 levels, 80 classes". */
  readonly description: string;
  readonly classes: readonly string[] | undefined;
  /** Metric that `maxDrop` is about: map50_95, top1 or agreement. */
  readonly headline: string;
  readonly preprocess: Preprocess;
  /** [height, width] of the input image; [0, 0] where the model takes no image. */
  readonly inputSize: readonly [number, number];
  /** The input that takes the image; undefined: the model takes none, and only its outputs can be compared. */
  readonly input: ModelInput | undefined;
  /** What decode needs; each task casts its own. */
  readonly head: unknown;
  /** What people should know before they trust a figure; part of every evaluation's warnings. */
  readonly notes: readonly string[];
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
  readonly predictions: readonly ImagePrediction[];
  /** What is odd about the outputs, in words: every class score equal … */
  readonly warnings: readonly string[];
}

export interface ImagePrediction {
  readonly sample: Sample;
  readonly prediction: Prediction;
  /** The upright image's pixels: boxes are in these. */
  readonly width: number;
  readonly height: number;
}

export type Prediction =
  | { readonly kind: 'boxes'; readonly boxes: readonly Detection[] }
  | { readonly kind: 'classes'; readonly scores: Float32Array }
  | { readonly kind: 'tensors'; readonly outputs: Readonly<Record<string, Plane>> };

/** Why a model does not fit a task, in words: becomes TASK_DOES_NOT_FIT or a line of `inspect`. */
export interface Misfit {
  readonly misfit: string;
}

export interface BindOptions {
  /** Parts of the preprocessing that the job spec states. */
  readonly preprocess?: PreprocessOption | undefined;
  /** Class names of the data set, for models that carry none. */
  readonly classes?: readonly string[] | undefined;
}

export interface Task {
  /** Look at topology, metadata and outputs; never at a file or node name. */
  bind(model: Model, options: BindOptions): TaskBinding | Misfit;
  /** The outputs of one run, by name, to what the model says of the image. */
  decode(
    outputs: Readonly<Record<string, Plane>>,
    binding: TaskBinding,
    geometry: Geometry,
  ): Prediction;
}

/** Names for `count` classes: the model's own, else the data set's, else numbers. */
export function classNames(
  count: number,
  own: readonly string[] | undefined,
  dataset: readonly string[] | undefined,
): readonly string[] {
  const found = [own, dataset].find((names) => names?.length === count);
  return found ?? Array.from({ length: count }, (_, i) => String(i));
}

/** Where model and data set name the same class differently: labels are compared by number. */
export function nameNotes(
  own: readonly string[] | undefined,
  dataset: readonly string[] | undefined,
): string[] {
  if (own === undefined || dataset === undefined || own.length !== dataset.length) return [];
  const plain = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
  const i = own.findIndex((name, k) => plain(name) !== plain(dataset[k]!) && !/^\d+$/.test(name));
  return i < 0
    ? []
    : [
        `Class ${i} is '${own[i]}' in the model and '${dataset[i]}' in the data set: labels are compared by number.`,
      ];
}
