/** @file Classifiers of the zoo, quantized: how far their outputs are off, beside what rounding the weights alone does. */

import { expect, test } from 'vitest';

import type { Sample } from '../../workers/data/dataset.ts';
import { openDataset } from '../../workers/data/open.ts';
import { cloneModel } from '../../workers/onnx/clone.ts';
import type { Model } from '../../workers/onnx/graph.ts';
import { normalize } from '../../workers/onnx/normalize.ts';
import { switchable } from '../../workers/quantization/mixed/switchable.ts';
import { PRECISIONS, type PrecisionName } from '../../workers/quantization/precisions.ts';
import { quantizeModel } from '../../workers/quantization/quantize-model.ts';
import type { QuantizeOptions } from '../../workers/quantization/settings.ts';
import { sqnr } from '../../workers/quantization/sqnr.ts';
import { survey } from '../../workers/quantization/survey.ts';
import { writeSurvey } from '../../workers/quantization/write-survey.ts';
import { type Feed, openSession } from '../../workers/runtime/session.ts';
import { feedsOf } from '../../workers/tasks/feed.ts';
import { shapeAt } from '../../workers/tasks/model-input.ts';
import { bindTask } from '../../workers/tasks/registry.ts';
import type { TaskBinding } from '../../workers/tasks/task.ts';
import { NO_SHARED_DATA, sharedData, type ZooEntry } from '../helpers/shared-data.ts';
import { filledZooModel } from '../helpers/zoo.ts';
import { int8Options } from '../workers/quantization/quantized.ts';

/** Images to calibrate on, and to judge by: noise differs from one to the next by 10 dB. */
const IMAGES = 32;
/** Larger models take minutes each. */
const LARGEST = 60e6;

/** Least signal over noise with 16 bits throughout, dB, of nets whose 16-bit weights alone leave 10 dB more. */
const CLEAN = 40;
/**
 * Most dB below the graph with rounded weights alone. With activations of 8 bits and one scale for all channels, nets of linear
 * bottlenecks and residual sums lose more than the 3 dB that others do: each tensor is rounded at 35 to 40 dB, weights at 50.
 */
const GAP: Readonly<Record<'int8' | 'int16', number>> = { int8: 9, int16: 3 };

const shared = sharedData();
if (!shared) test.skip(`quantize, zoo: ${NO_SHARED_DATA}`, () => {});
const small = (shared?.zoo() ?? []).filter((e) => e.raw_bytes < LARGEST);
const classifiers = small.filter((e) => bindTask(filledZooModel(e)).task === 'classify');

async function images(): Promise<{ train: readonly Sample[]; val: readonly Sample[] }> {
  const { path } = shared!.datasets.find((d) => d.splits.includes('val') && !d.shippable)!;
  const { splits } = await openDataset(path);
  return { train: splits.train.slice(0, IMAGES), val: splits.val.slice(0, IMAGES) };
}

async function outputs(model: Model, task: TaskBinding, val: readonly Sample[], more = {}) {
  const session = await openSession(model);
  const found: number[] = [];
  for await (const feed of feedsOf(val, task)) {
    const results = await session.run({ ...feed, ...more } as Record<string, Feed>);
    for (const x of results[model.graph.outputs[0]!.name]!.data as Float32Array) found.push(x);
  }
  await session.release();
  return Float32Array.from(found);
}

/** A copy whose weights alone are rounded, and what it is fed for that. */
async function weightsAlone(model: Model, options: QuantizeOptions) {
  const surveyed = cloneModel(model);
  const found = await survey(surveyed, { ...options, images: 2, feeds: () => options.feeds(0, 2) });
  const { inserted } = writeSurvey(cloneModel(surveyed), found, options);
  const switches = switchable(surveyed, [], new Map(), inserted.weights);
  return { model: switches.model, feeds: switches.feeds(new Set(switches.sites)) };
}

async function noise(entry: ZooEntry, precision: PrecisionName) {
  const float = filledZooModel(entry);
  normalize(float, PRECISIONS[precision].opset);
  float.irVersion = Math.max(float.irVersion, PRECISIONS[precision].irVersion);
  const task = bindTask(float);
  const { train, val } = await images();
  const options = await int8Options({
    feeds: (from, to) => feedsOf(train.slice(from, to), task),
    ...{ images: train.length, reduceRange: 'auto', precision },
    inputDims: { [task.input!.name]: shapeAt(task.input!, task.input!.batch) },
  });
  const truth = await outputs(float, task, val);
  const weights = await weightsAlone(float, options);
  const alone = sqnr(truth, await outputs(weights.model, task, val, weights.feeds));
  const quantized = cloneModel(float);
  await quantizeModel(quantized, options);
  const db = sqnr(truth, await outputs(quantized, task, val));
  console.log(entry.name, precision, db.toFixed(1), 'dB, weights alone', alone.toFixed(1));
  return { db, alone };
}

const named = classifiers.map((e) => [e.name, e] as const);

test.each(named)(
  '%s: int16-full is clean, where 16-bit weights are',
  async (_, entry) => {
    const { db, alone } = await noise(entry, 'int16-full');
    // Untrained gates that saturate make the smallest error large: nothing helps there.
    expect(db).toBeGreaterThanOrEqual(alone > CLEAN + 10 ? CLEAN : alone / 4);
  },
  1_200_000,
);

test.each(named.flatMap(([name, e]) => [[name, 'int8', e] as const, [name, 'int16', e] as const]))(
  '%s: %s is near what its rounded weights leave',
  async (_, precision, entry) => {
    const { db, alone } = await noise(entry, precision);
    expect(alone - db).toBeLessThanOrEqual(GAP[precision]);
  },
  1_200_000,
);
