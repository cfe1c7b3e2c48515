/** @file Training through roundings: the loss falls, agreement rises, the file is what was trained; resumed, stopped, refused. */

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

import type { Sample } from '../../../../workers/data/dataset.ts';
import { cloneModel } from '../../../../workers/onnx/clone.ts';
import type { Model } from '../../../../workers/onnx/graph.ts';
import { normalize } from '../../../../workers/onnx/normalize.ts';
import { Tensor } from '../../../../workers/onnx/tensor.ts';
import { floatsOf } from '../../../../workers/onnx/values.ts';
import { writeModel } from '../../../../workers/onnx/write.ts';
import { floatForm } from '../../../../workers/quantization/qat/float-form.ts';
import {
  RANGE_RATE,
  rangesOf,
  rangeValue,
} from '../../../../workers/quantization/qat/insert-fakes.ts';
import { sitesOf } from '../../../../workers/quantization/qat/sites.ts';
import {
  type QatContext,
  type QatSettings,
  trainQuantized,
} from '../../../../workers/quantization/qat/train-quantized.ts';
import { writeBack } from '../../../../workers/quantization/qat/write-back.ts';
import { inferTypes } from '../../../../workers/runtime/infer-types.ts';
import { feedsOf } from '../../../../workers/tasks/feed.ts';
import { bindTask } from '../../../../workers/tasks/registry.ts';
import { yolov8 } from '../../../helpers/head-models.ts';
import { testFolder } from '../../../helpers/image-folder.ts';
import { SQUARE_CLASSES, squares } from '../../../helpers/squares.ts';
import { PLAIN_TRAINING, quietRun } from '../../../helpers/training.ts';
import { quantized } from '../quantized.ts';
import { classifier } from './classifier.ts';

const SITES = { shares: [], reduceRange: false };

const SETTINGS: QatSettings = {
  ...PLAIN_TRAINING,
  length: { steps: 40 },
  lr: 5e-4,
  warmUp: 0,
  labelSmoothing: 0,
  estimator: 'lsq',
  holdRanges: 0.5,
};

let images: Sample[];
let labelled: Sample[];
beforeAll(async () => {
  const all = await squares(await mkdtemp(join(tmpdir(), 'lathe-squares-')), 15);
  labelled = all;
  images = all.map(({ name, file }) => ({ name, file }));
});

/** Quantized with weights of about 4 bits, so that there is something to win. */
async function coarse(): Promise<{ float: Model; model: Model }> {
  const float = classifier();
  normalize(float, 13);
  await inferTypes(float);
  const binding = bindTask(float);
  const { model } = await quantized(float, { feeds: () => feedsOf(images.slice(0, 4), binding) });
  const sites = sitesOf(model, SITES);
  const form = floatForm(float, sites.weights);
  const ranges = rangesOf({ ...sites, activations: [] });
  form.model.graph.initializers = [
    ...form.model.graph.initializers.filter((v) => !v.name.endsWith('/range')),
    ...ranges.map((range) => {
      const value = rangeValue(range);
      const wide = floatsOf(value.constant!).map(() => Math.log(16) / RANGE_RATE);
      value.constant = Tensor.float32(value.constant!.dims, wide);
      return value;
    }),
  ];
  writeBack(model, form, sites, ranges);
  return { float, model };
}

type Told = { readonly metrics: Readonly<Record<string, unknown>>[] };

function context(float: Model, more: Partial<QatContext> = {}): QatContext & { told: Told } {
  const told: Told = { metrics: [] };
  return {
    binding: bindTask(float),
    fit: images.slice(0, 12),
    tune: images.slice(12),
    ...quietRun(),
    metric: (record) => void told.metrics.push(record),
    told,
    ...more,
  };
}

const losses = ({ metrics }: Told) =>
  metrics.filter((m) => m['at'] === 'train').map((m) => m['loss'] as number);

const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

describe('training through roundings', () => {
  test.each(['lsq', 'ste'] as const)(
    '%s: the loss falls, the file is what was trained',
    async (estimator) => {
      const { float, model } = await coarse();
      const before = Buffer.from(writeModel(model));
      const ctx = context(float);
      const result = await trainQuantized(float, model, { ...SETTINGS, estimator }, SITES, ctx);
      const all = losses(ctx.told);
      expect(all).toHaveLength(40);
      expect(mean(all.slice(-8))).toBeLessThan(0.7 * mean(all.slice(0, 4)));
      expect(result).toMatchObject({ metric: 'agreement', loss: 'none', estimator, steps: 40 });
      expect(result.best).toBeGreaterThanOrEqual(result.before);
      expect(result.check.steps).toBeLessThanOrEqual(1.001);
      expect(result.check.tensors).toBe(sitesOf(model, SITES).activations.length);
      if (result.bestStep > 0) expect(Buffer.from(writeModel(model)).equals(before)).toBe(false);
    },
  );

  test('scales that are learned stay once they are held; fixed ones never move', async () => {
    const scalesAfter = async (estimator: 'lsq' | 'ste', holdRanges: number) => {
      const { float, model } = await coarse();
      const scales = () =>
        sitesOf(model, SITES).activations.map((s) => floatsOf(s.scale.constant!)[0]!);
      const before = scales();
      let judged: number[] = [];
      const progress = () => {
        judged = scales();
      };
      const settings = { ...SETTINGS, estimator, holdRanges };
      await trainQuantized(float, model, settings, SITES, context(float, { progress }));
      return { before, judged };
    };
    const learned = await scalesAfter('lsq', 0.5);
    expect(learned.judged).not.toEqual(learned.before);
    for (const still of [await scalesAfter('lsq', 0), await scalesAfter('ste', 0.5)])
      expect(still.judged).toEqual(still.before);
  });

  test('without anything better the constants stay as they came', async () => {
    const { float, model } = await coarse();
    const before = Buffer.from(writeModel(model));
    const settings = { ...SETTINGS, lr: 1e-12, length: { steps: 3 } };
    const { bestStep } = await trainQuantized(float, model, settings, SITES, context(float));
    expect(bestStep).toBe(0);
    expect(Buffer.from(writeModel(model)).equals(before)).toBe(true);
  });

  test('an attempt that was cut off goes on where it was', async () => {
    const whole = await coarse();
    const all = context(whole.float);
    await trainQuantized(whole.float, whole.model, SETTINGS, SITES, all);

    const kept = await testFolder();
    const stop = new AbortController();
    const cut = await coarse();
    let tunes = 0;
    const first = context(cut.float, {
      kept,
      signal: stop.signal,
      metric: ({ at }) => {
        if (at === 'tune' && ++tunes === 2) queueMicrotask(() => setTimeout(() => stop.abort(), 5));
      },
    });
    await expect(trainQuantized(cut.float, cut.model, SETTINGS, SITES, first)).rejects.toThrow();
    const again = await coarse();
    const rest = context(again.float, { kept });
    await trainQuantized(again.float, again.model, SETTINGS, SITES, rest);
    expect(losses(rest.told).length).toBeLessThan(40);
    expect(losses(rest.told)).toEqual(losses(all.told).slice(-losses(rest.told).length));
    expect(Buffer.from(writeModel(again.model)).equals(Buffer.from(writeModel(whole.model)))).toBe(
      true,
    );
  });

  test('a labelled detector learns from the float model and its labels', async () => {
    const float = yolov8();
    normalize(float, 13);
    await inferTypes(float);
    const binding = bindTask(float, { classes: SQUARE_CLASSES });
    const { model } = await quantized(float, {
      feeds: () => feedsOf(images.slice(0, 4), binding),
    });
    const ctx = context(float, { binding, fit: labelled.slice(0, 12) });
    const settings = { ...SETTINGS, length: { steps: 3 } };
    const result = await trainQuantized(float, model, settings, SITES, ctx);
    expect(result).toMatchObject({ loss: 'task-aligned', metric: 'agreement' });
    const [first] = ctx.told.metrics.filter((m) => m['at'] === 'train');
    expect(first).toMatchObject({ float: expect.any(Number), cls: expect.any(Number) });
    expect(first!['taskWeight']).toBeGreaterThan(0);
  });

  test('nothing left to train, no images', async () => {
    const { float, model } = await coarse();
    const frozen = { ...SETTINGS, freeze: ['*'] };
    await expect(
      trainQuantized(float, cloneModel(model), frozen, SITES, context(float)),
    ).rejects.toMatchObject({ code: 'MODEL_NOT_TRAINABLE' });
    await expect(
      trainQuantized(float, cloneModel(model), SETTINGS, SITES, context(float, { fit: [] })),
    ).rejects.toMatchObject({ code: 'SPLIT_MISSING' });
  });
});
