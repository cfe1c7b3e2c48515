/** @file What the training thread and the threads that prepare its images say to each other. */

import type { Preprocess } from '../../../src/contract/preprocess.ts';
import type { AugmentOptions } from '../../data/augment/options.ts';
import type { Dataset, Sample } from '../../data/dataset.ts';
import type { ModelInput } from '../../tasks/model-input.ts';
import type { Labels } from './labels.ts';

/** Everything that decides what a batch holds, besides its step. */
export interface BatchPlan {
  readonly samples: readonly Sample[];
  readonly task: Dataset['task'];
  readonly labels: 'boxes' | 'classes' | 'none';
  /** Classes of the model. */
  readonly classes: number;
  readonly preprocess: Preprocess;
  readonly input: Pick<ModelInput, 'size' | 'channels' | 'layout'>;
  readonly batch: number;
  readonly seed: number;
  readonly augment: AugmentOptions | false;
  readonly totalSteps: number;
  /** Bytes of decoded images that a thread keeps. */
  readonly cacheBytes: number;
}

export interface TrainBatch {
  /** Valid until the next batch is asked for: its memory is used again then. */
  readonly images: Float32Array<ArrayBuffer>;
  /** [B, channels, H, W] or [B, H, W, channels], as the model's input. */
  readonly dims: readonly number[];
  readonly labels: Labels;
  /** Names of the samples, in the batch's order. */
  readonly ids: readonly string[];
}

export interface Order {
  readonly step: number;
  /** Memory of a batch that is done with. */
  readonly memory: ArrayBuffer | undefined;
}

export type Answer =
  | { readonly step: number; readonly batch: TrainBatch }
  | { readonly step: number; readonly failure: Failure };

/** An error in a form that another thread can throw again. */
export interface Failure {
  readonly message: string;
  /** Of a ServiceError. */
  readonly code?: string;
  readonly facts?: unknown;
}
