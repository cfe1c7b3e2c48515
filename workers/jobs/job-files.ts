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
  scratch: (name: string) => join(folder, 'scratch', name),
});
