/** @file What learned rounding is worth on trained detectors: agreement over rounding to nearest, everything else the same. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { openDataset } from '../../workers/data/open.ts';
import { agreement } from '../../workers/evaluation/agreement.ts';
import { evaluate } from '../../workers/evaluation/evaluate.ts';
import { cloneModel } from '../../workers/onnx/clone.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { roundModel } from '../../workers/quantization/adaround/round-model.ts';
import { survey } from '../../workers/quantization/survey.ts';
import { writeSurvey } from '../../workers/quantization/write-survey.ts';
import { feedsOf } from '../../workers/tasks/feed.ts';
import { shapeAt } from '../../workers/tasks/model-input.ts';
import { bindTask } from '../../workers/tasks/registry.ts';
import { NO_SHARED_DATA, type SharedModel, sharedData } from '../helpers/shared-data.ts';
import { int8Options } from '../workers/quantization/quantized.ts';

/** Agreement, on the images of val and test together. */
const GAIN = 0.003;
/** Images that roundings are learned on. */
const IMAGES = 32;

const shared = sharedData();
if (!shared) test.skip(`quantize, rounding: ${NO_SHARED_DATA}`, () => {});
/** Those whose weights do not lie near an 8-bit grid already. */
const models = (shared?.models ?? []).filter((m) => m.float && m.task === 'detect' && m.shippable);

async function rounded({ path, dataset }: SharedModel, scratch: string) {
  const bytes = await readFile(path);
  const data = await openDataset(shared!.datasets.find((d) => d.name === dataset)!.path);
  const model = readModel(bytes);
  const task = bindTask(model, { classes: data.classes });
  const train = data.splits.train.slice(0, 128);
  const options = await int8Options({
    feeds: (from, to) => feedsOf(train.slice(from, to), task),
    ...{ images: train.length, reduceRange: 'auto', scratch },
    inputDims: { [task.input!.name]: shapeAt(task.input!, task.input!.batch) },
  });
  const found = await survey(model, options);
  const quantized = cloneModel(model);
  const { inserted } = writeSurvey(quantized, found, options);
  for (const b of inserted.biases) b.value.constant = b.as(b.plain);

  const samples = [...data.splits.val, ...data.splits.test];
  const truth = await evaluate(bytes, task, samples);
  const judge = async () => agreement(truth, await evaluate(quantized, task, samples), task);
  const nearest = await judge();
  const learn = { ...options, feeds: () => options.feeds(0, IMAGES), onLayer: () => {} };
  await roundModel(model, inserted.weights, learn);
  return { nearest, learned: await judge() };
}

test.each(models.map((m) => [m.file, m] as const))(
  '%s: learned rounding agrees more',
  async (file, model) => {
    const scratch = await mkdtemp(join(tmpdir(), 'lathe-rounding-'));
    onTestFinished(() => rm(scratch, { recursive: true, force: true }));
    const { nearest, learned } = await rounded(model, scratch);
    console.log(file, 'nearest', nearest, 'learned', learned);
    expect(learned - nearest).toBeGreaterThanOrEqual(GAIN);
  },
  1_800_000,
);
