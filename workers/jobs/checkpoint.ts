/** @file What a finished stage leaves behind: `stages/NN-<stage>.onnx`, and `.json` with its key and its report. */

import { mkdir, readFile } from 'node:fs/promises';

import type { StageReport } from '../../src/contract/report.ts';
import { jobFiles } from './job-files.ts';
import { type ModelFile, openModelFile, writeWhole } from './model-file.ts';

export interface Checkpoint {
  readonly key: string;
  /** As in report.json, except that its latency is measured anew in every run. */
  readonly report: StageReport;
  /** Its lines of metrics.jsonl. */
  readonly metrics: readonly MetricRecord[];
}

export type MetricRecord = Readonly<Record<string, string | number | boolean | null>>;

export interface FinishedStage {
  readonly checkpoint: Checkpoint;
  readonly model: ModelFile;
}

/** @returns the finished stage, where one was kept under this key and its model is whole */
export async function findCheckpoint(
  folder: string,
  name: string,
  key: string,
): Promise<FinishedStage | undefined> {
  const files = jobFiles(folder);
  try {
    const checkpoint = JSON.parse(await readFile(files.checkpoint(name), 'utf8')) as Checkpoint;
    if (checkpoint.key !== key) return undefined;
    const model = await openModelFile(files.stageModel(name));
    return model.digest === checkpoint.report.output ? { checkpoint, model } : undefined;
  } catch {
    return undefined; // none, or not whole: the stage runs
  }
}

/** The model first: a checkpoint without its model would be a promise without a proof. */
export async function keepCheckpoint(
  folder: string,
  name: string,
  { checkpoint, model }: FinishedStage,
): Promise<void> {
  const files = jobFiles(folder);
  await mkdir(files.stages, { recursive: true });
  await writeWhole(files.stageModel(name), model.bytes);
  await writeWhole(files.checkpoint(name), JSON.stringify(checkpoint));
}
