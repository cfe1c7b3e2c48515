/** @file Three disjoint sets of calibration images: what int8 costs on average, and that no set is an unlucky one. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import type { Dataset, Sample } from '../../workers/data/dataset.ts';
import { openDataset } from '../../workers/data/open.ts';
import { agreement } from '../../workers/evaluation/agreement.ts';
import { evaluate } from '../../workers/evaluation/evaluate.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { writeModel } from '../../workers/onnx/write.ts';
import { quantize } from '../../workers/stages/quantize.ts';
import { bindTask } from '../../workers/tasks/registry.ts';
import type { Evaluation, TaskBinding } from '../../workers/tasks/task.ts';
import { NO_SHARED_DATA, type SharedModel, sharedData } from '../helpers/shared-data.ts';
import { options } from '../workers/stages/quantizing.ts';

const SETS = 3;
/** mAP50-95, mean over the sets. */
const MOST_LOST = 0.006;

const shared = sharedData();
if (!shared) test.skip(`quantize, sets: ${NO_SHARED_DATA}`, () => {});
const models = (shared?.models ?? []).filter(
  (m) => m.float && m.task === 'detect' && m.dataset.startsWith('coco') && !m.preprocess,
);

interface Judged {
  readonly agreement: number;
  readonly drop: number;
}

async function quantized(
  bytes: Uint8Array,
  dataset: Dataset,
  train: readonly Sample[],
  scratch: string,
): Promise<Uint8Array> {
  const model = readModel(bytes);
  const task = bindTask(model);
  const { model: made } = await quantize.run(model, options({}), {
    ...{ signal: new AbortController().signal, seed: 0, threads: 1, provider: 'cpu' },
    ...{ dataset: { ...dataset, splits: { ...dataset.splits, train } }, task, scratch },
    ...{ preprocess: task.preprocess, progress() {}, warn() {}, info() {}, metric() {} },
    otherModel: () => Promise.reject(new Error('quantize reads no other model')),
  });
  return writeModel(made);
}

async function judged(file: Uint8Array, truth: Evaluation, task: TaskBinding, val: Dataset) {
  const own = await evaluate(file, task, val.splits.val);
  const { headline } = task;
  return {
    agreement: agreement(truth, own, task),
    drop: truth.metrics[headline]! - own.metrics[headline]!,
  };
}

async function overSets({ path, dataset }: SharedModel, scratch: string): Promise<Judged[]> {
  const bytes = await readFile(path);
  const data = await openDataset(shared!.datasets.find((d) => d.name === dataset)!.path);
  const task = bindTask(readModel(bytes), { classes: data.classes });
  const truth = await evaluate(bytes, task, data.splits.val);
  const results: Judged[] = [];
  for (let set = 0; set < SETS; set++) {
    const train = data.splits.train.filter((_, i) => i % SETS === set);
    results.push(await judged(await quantized(bytes, data, train, scratch), truth, task, data));
  }
  return results;
}

const mean = (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0) / xs.length;

function meanAndDeviation(xs: readonly number[]): string {
  const m = mean(xs);
  const variance = xs.reduce((sum, x) => sum + (x - m) ** 2, 0) / (xs.length - 1);
  return `${m.toFixed(4)} ± ${Math.sqrt(variance).toFixed(4)}`;
}

test.each(models.map((m) => [m.file, m] as const))(
  '%s: int8 from three sets of images',
  async (file, model) => {
    const scratch = await mkdtemp(join(tmpdir(), 'lathe-sets-'));
    onTestFinished(() => rm(scratch, { recursive: true, force: true }));
    const results = await overSets(model, scratch);
    const drops = results.map((r) => r.drop);
    const agreements = results.map((r) => r.agreement);
    console.log(file, 'drop', meanAndDeviation(drops), 'agreement', meanAndDeviation(agreements));
    expect(mean(drops)).toBeLessThanOrEqual(MOST_LOST);
    expect(Math.min(...agreements)).toBeGreaterThan(mean(agreements) - 0.015);
  },
  1_800_000,
);
