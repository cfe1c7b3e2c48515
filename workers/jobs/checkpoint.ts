/** @file What a finished stage leaves behind: `stages/NN-<stage>.onnx`, and `.json` with its key and its report. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { StageReport } from '../../src/contract/report.ts';
import { type ModelFile, openModelFile, writeWhole } from './model-file.ts';

export interface Checkpoint {
  readonly key: string;
  /** As in report.json, except that its latency is measured anew in every run. */
  readonly report: StageReport;
  /** Its lines of metrics.jsonl. */
  readonly metrics: readonly Readonly<Record<string, unknown>>[];
}

/** @returns the finished stage, where one was kept under this key and its model is whole */
export async function findCheckpoint(
  folder: string,
  name: string,
  key: string,
): Promise<{ readonly checkpoint: Checkpoint; readonly model: ModelFile } | undefined> {
  try {
    const text = await readFile(join(folder, 'stages', `${name}.json`), 'utf8');
    const checkpoint = JSON.parse(text) as Checkpoint;
    if (checkpoint.key !== key) return undefined;
    const model = await openModelFile(join(folder, 'stages', `${name}.onnx`));
    return model.digest === checkpoint.report.output ? { checkpoint, model } : undefined;
  } catch {
    return undefined; // none, or not whole: the stage runs
  }
}

/** The model first: a checkpoint without its model would be a promise without a proof. */
export async function keepCheckpoint(
  folder: string,
  name: string,
  checkpoint: Checkpoint,
  model: ModelFile,
): Promise<void> {
  await writeWhole(join(folder, 'stages', `${name}.onnx`), model.bytes);
  await writeWhole(join(folder, 'stages', `${name}.json`), JSON.stringify(checkpoint));
}
