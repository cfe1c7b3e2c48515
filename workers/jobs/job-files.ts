/** @file Names of the files in a job's folder. */

import { join } from 'node:path';

export const jobFiles = (folder: string) => ({
  model: join(folder, 'model.onnx'),
  report: join(folder, 'report.json'),
  html: join(folder, 'report.html'),
  metrics: join(folder, 'metrics.jsonl'),
  stages: join(folder, 'stages'),
  /** @param name `NN-<stage>` */
  stageModel: (name: string) => join(folder, 'stages', `${name}.onnx`),
  checkpoint: (name: string) => join(folder, 'stages', `${name}.json`),
  /** What an unfinished stage leaves for the next attempt. @param key stage key: another spec finds nothing here */
  unfinished: (key: string) => join(folder, 'unfinished', key),
  allUnfinished: join(folder, 'unfinished'),
  /** Of the stage at work; gone when it ends. */
  scratch: join(folder, 'scratch'),
});

/** What a job's folder holds at its top: whatever else is there came from elsewhere. */
export const JOB_ENTRIES: ReadonlySet<string> = new Set(
  Object.values(jobFiles('')).filter((name) => typeof name === 'string'),
);

/** `NN-<stage>`, NN from 01. @param index from 0 */
export const stageFileName = (index: number, stage: string) =>
  `${String(index + 1).padStart(2, '0')}-${stage}`;
