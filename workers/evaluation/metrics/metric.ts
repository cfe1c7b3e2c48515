/** @file What a task's metric yields, and how it is asked. */

import type { PerClass, PrCurve } from '../../../src/contract/report.ts';
import type { ImagePrediction } from '../../tasks/task.ts';

export interface Judgement {
  readonly metrics: Readonly<Record<string, number>>;
  readonly perClass?: PerClass;
  readonly curves?: readonly PrCurve[];
}

export interface Metric {
  /** Against the samples' labels; undefined where they have none of this task's kind. */
  judge(
    predictions: readonly ImagePrediction[],
    classes: readonly string[] | undefined,
  ): Judgement | undefined;
  /** 0…1: how far a model's predictions are those of the reference, image by image. */
  agreement(reference: readonly ImagePrediction[], candidate: readonly ImagePrediction[]): number;
}
