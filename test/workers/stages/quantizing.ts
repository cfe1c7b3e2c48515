/** @file Surroundings of the stage `quantize`: options with defaults, images of squares, and what it says on the way. */

import { Value } from 'typebox/value';
import { expect } from 'vitest';

import type { Dataset } from '../../../workers/data/dataset.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import type { RunContext } from '../../../workers/runtime/context.ts';
import { quantize } from '../../../workers/stages/quantize.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import { testFolder } from '../../helpers/image-folder.ts';
import { squares } from '../../helpers/squares.ts';

export const options = (given: object) =>
  Value.Default(quantize.options, structuredClone(given)) as Record<string, unknown>;

export async function quantizing(model: Model, budget: RunContext['budget'], images = 10) {
  const folder = await testFolder();
  const all = await squares(folder, images);
  const samples = all.map(({ name, file }) => ({ name, file }));
  const task = bindTask(model);
  const told: { readonly warnings: string[]; readonly metrics: object[]; done: number } = {
    ...{ warnings: [], metrics: [], done: 0 },
  };
  const dataset = { splits: { train: samples, val: [], test: [] } } as unknown as Dataset;
  const ctx: RunContext = {
    ...{ signal: new AbortController().signal, seed: 0, threads: 1, provider: 'cpu' },
    ...{ dataset, task, preprocess: task.preprocess, budget, scratch: folder },
    progress: (done) => {
      expect(done).toBeGreaterThanOrEqual(told.done - 1e-9);
      told.done = done;
    },
    warn: (message) => void told.warnings.push(message),
    info: () => {},
    otherModel: () => Promise.reject(new Error('no stage here reads another')),
    metric: (record) => void told.metrics.push(record),
  };
  return { ctx, told };
}
