/** @file From the spec's stages to stages that can run: looked up, defaults filled in, needs checked, before any work. */

import type { Static, TObject } from 'typebox';
import { Value } from 'typebox/value';

import { ServiceError } from '../../src/contract/errors.ts';
import type { JobSpec, StageSpec } from '../../src/contract/job.ts';
import type { Dataset } from '../data/dataset.ts';
import { STAGES } from '../stages/registry.ts';
import type { Stage } from '../stages/stage.ts';
import { stageFileName } from './job-files.ts';

export interface PlannedStage {
  /** Place in the job, from 0. */
  readonly index: number;
  readonly stage: Stage;
  /** With every default filled in. */
  readonly options: Static<TObject>;
  /** `NN-<stage>`, NN from 01: names its files. */
  readonly name: string;
}

/** @throws SPEC_INVALID an unknown stage, an unknown or wrong option: all of them, each with its pointer */
export function planStages(stages: readonly StageSpec[]): PlannedStage[] {
  const errors: { pointer: string; detail: string }[] = [];
  const plan = stages.flatMap((spec, index) => {
    const stage = (STAGES as Readonly<Record<string, Stage>>)[spec.stage];
    if (!stage) {
      errors.push({
        pointer: `/stages/${index}/stage`,
        detail: `names no stage: found '${spec.stage}', valid are ${Object.keys(STAGES).join(', ')}`,
      });
      return [];
    }
    const { stage: _, ...given } = spec;
    const options = Value.Default(stage.options, structuredClone(given)) as Static<TObject>;
    for (const { instancePath, message } of Value.Errors(stage.options, options))
      errors.push({ pointer: `/stages/${index}${instancePath}`, detail: message });
    return [{ index, stage, options, name: stageFileName(index, spec.stage) }];
  });
  if (errors.length > 0) throw new ServiceError('SPEC_INVALID', { errors });
  return plan;
}

/**
 * Refuse a job whose stages or limits need images that it does not have.
 *
 * @throws DATASET_REQUIRED · SPLIT_MISSING
 */
export function checkData(
  plan: readonly PlannedStage[],
  accept: JobSpec['accept'],
  dataset: Dataset | undefined,
): void {
  for (const { stage, options } of plan) {
    if (stage.needsImages && Value.Check(stage.needsImages, options))
      requireSplit(dataset, 'train', `Stage '${stage.name}'`, 'it learns from training images');
  }
  for (const limit of ['maxDrop', 'minAgreement'] as const) {
    if (accept?.[limit] !== undefined)
      requireSplit(dataset, 'val', `'accept.${limit}'`, 'it is measured on validation images');
  }
}

function requireSplit(
  dataset: Dataset | undefined,
  split: 'train' | 'val',
  what: string,
  why: string,
): void {
  if (!dataset) throw new ServiceError('DATASET_REQUIRED', { what, why });
  if (dataset.splits[split].length > 0) return;
  const { train, val, test } = dataset.splits;
  const has = `${train.length} in train, ${val.length} in val, ${test.length} in test`;
  throw new ServiceError('SPLIT_MISSING', { split, what, has });
}
