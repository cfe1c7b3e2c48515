/** @file The training loop on real images: it learns, repeats itself, resumes, stops, and survives bad rates. */

import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Sample } from '../../../workers/data/dataset.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { floatsOf } from '../../../workers/onnx/values.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import type { TrainSettings } from '../../../workers/training/settings.ts';
import { type TrainContext, train } from '../../../workers/training/train.ts';
import { yolov8 } from '../../helpers/head-models.ts';
import { testFolder } from '../../helpers/image-folder.ts';
import { SQUARE_CLASSES, squares } from '../../helpers/squares.ts';
import { modelOf, randomWeight, shapeWeight } from '../../helpers/tiny-model.ts';
import { PLAIN_TRAINING, quietRun } from '../../helpers/training.ts';

const BASE: TrainSettings = { ...PLAIN_TRAINING, length: { steps: 24 }, decay: 'auto', ema: true };

let images: Sample[];
beforeAll(async () => {
  images = await squares(await mkdtemp(join(tmpdir(), 'lathe-squares-')), 15);
});

/** A linear layer on the mean colour, which says blue to everything at first. */
const colourClassifier = () =>
  modelOf(
    `(float[1, 3, 64, 64] x, float[3, 3] w, float[3] b, int64[2] s) => (float[1, 3] y) {
      p = GlobalAveragePool(x)
      h = Reshape(p, s)
      y = Gemm<transB = 1>(h, w, b)
    }`,
    {
      w: randomWeight([3, 3], 1, 0.1),
      b: { dims: [3], data: [0, 0, 1] },
      s: shapeWeight(1, 3),
    },
  );

interface Told {
  readonly warnings: string[];
  readonly metrics: Readonly<Record<string, unknown>>[];
}

function context(model: Model, more: Partial<TrainContext> = {}): TrainContext & { told: Told } {
  const told: Told = { warnings: [], metrics: [] };
  return {
    binding: bindTask(model, { classes: SQUARE_CLASSES }),
    fit: images.slice(0, 12),
    tune: images.slice(12),
    ...quietRun(),
    warn: (message) => void told.warnings.push(message),
    metric: (record) => void told.metrics.push(record),
    told,
    ...more,
  };
}

const weights = (model: Model) =>
  model.graph.initializers.flatMap((v) =>
    v.constant?.dtype === 'float32' ? [[v.name, [...floatsOf(v.constant)]] as const] : [],
  );

async function trained(settings: Partial<TrainSettings> = {}, more: Partial<TrainContext> = {}) {
  const model = yolov8();
  const ctx = context(model, more);
  const result = await train(model, { ...BASE, ...settings }, ctx);
  return { model, result, told: ctx.told };
}

const losses = ({ metrics }: Told) =>
  metrics.filter((m) => m['at'] === 'train').map((m) => m['loss'] as number);

describe('train', () => {
  test('lowers the loss and tells every step', async () => {
    const { result, told } = await trained({ length: { steps: 40 }, lr: 0.1 });
    const all = losses(told);
    expect(all).toHaveLength(40);
    expect(all.at(-1)! / all[0]!).toBeLessThan(0.8);
    expect(result).toMatchObject({ loss: 'task-aligned', metric: 'map50_95', steps: 40, lr: 0.1 });
    expect(result.curve.map((p) => p.step)).toContain(40);
    const finalPoint = result.curve.at(-1)!;
    expect(finalPoint.loss).toBeGreaterThan(0);
    expect(finalPoint.tune).toBeGreaterThanOrEqual(0);
  });

  test('the same seed gives bit-equal weights, another seed others', async () => {
    const [a, b, c] = [await trained(), await trained(), await trained({}, { seed: 4 })];
    expect(losses(a.told)).toEqual(losses(b.told));
    expect(Buffer.from(writeModel(a.model))).toEqual(Buffer.from(writeModel(b.model)));
    expect(losses(c.told)).not.toEqual(losses(a.told));
  });

  test('weights are those of the best judgement; without a better one they stay as they came', async () => {
    const { model, result, told } = await trained({ lr: 1e-12, length: { steps: 3 } });
    expect(result.bestStep).toBe(0);
    expect(weights(model)).toEqual(weights(yolov8()));
    expect(told.metrics.some((m) => m['at'] === 'tune')).toBe(true);
  });

  test.each([1e6, 1e30])('rate %s: back to good weights, rate halved, said so', async (lr) => {
    const { model, result, told } = await trained({ lr, length: { steps: 6 } });
    expect(result.rollbacks).toBeGreaterThan(0);
    expect(told.warnings[0]).toMatch(/Step \d+: .*learning rate halved/);
    for (const [name, values] of weights(model))
      expect(values.every(Number.isFinite), name).toBe(true);
    expect(result.best).toBeGreaterThanOrEqual(result.before);
  });

  test('an attempt that was cut off goes on where it was', async () => {
    const whole = await trained({ length: { epochs: 4 } });
    const kept = await testFolder();
    const stop = new AbortController();
    const metric = (record: Readonly<Record<string, unknown>>) => {
      if (record['at'] === 'train' && record['step'] === 8) stop.abort(new Error('crash'));
    };
    const cut = { kept, signal: stop.signal, metric };
    await expect(trained({ length: { epochs: 4 } }, cut)).rejects.toThrow('crash');
    const again = await trained({ length: { epochs: 4 } }, { kept });
    const steps = again.told.metrics.filter((m) => m['at'] === 'train').map((m) => m['step']);
    expect(steps[0]).toBeGreaterThan(1);
    expect(steps.at(-1)).toBe(12);
    expect(weights(again.model)).toEqual(weights(whole.model));
  });

  test('the tune images join late, and an attempt that was cut off after that goes on with them', async () => {
    const labelled = images.map((s) => ({ ...s, label: s.boxes![0]![0] }));
    const run = async (more: Partial<TrainContext> = {}) => {
      const model = colourClassifier();
      const binding = bindTask(model, { task: 'classify', classes: SQUARE_CLASSES });
      const parts = { binding, fit: labelled.slice(0, 12), tune: labelled.slice(12), ...more };
      const settings = { ...BASE, length: { epochs: 20 }, lr: 0.1, refit: true };
      return { model, result: await train(model, settings, context(model, parts)) };
    };
    const whole = await run();
    const { tuneJoinedAt, epochs } = whole.result;
    expect(tuneJoinedAt).toBeGreaterThanOrEqual(36);
    expect(epochs).toBeLessThan(20);
    const kept = await testFolder();
    const stop = new AbortController();
    const metric = (record: Readonly<Record<string, unknown>>) => {
      if (record['at'] === 'train' && record['step'] === 55) stop.abort(new Error('crash'));
    };
    await expect(run({ kept, signal: stop.signal, metric })).rejects.toThrow('crash');
    const again = await run({ kept });
    expect(again.result).toMatchObject({ tuneJoinedAt, epochs });
    expect(weights(again.model)).toEqual(weights(whole.model));
  });

  test('a checkpoint that is not whole is not used', async () => {
    const kept = await testFolder();
    await writeFile(join(kept, 'training.state'), 'half');
    const { result } = await trained({ length: { steps: 2 } }, { kept });
    expect(result.steps).toBe(2);
    expect(await readFile(join(kept, 'training.state'), 'utf8')).toBe('half');
  });

  test('cancelled within one step', async () => {
    const stop = new AbortController();
    let steps = 0;
    const metric = (record: Readonly<Record<string, unknown>>) => {
      if (record['at'] === 'train' && ++steps === 2) stop.abort(new Error('cancelled'));
    };
    await expect(trained({}, { signal: stop.signal, metric })).rejects.toThrow('cancelled');
    expect(steps).toBe(2);
  });

  test('frozen weights do not move', async () => {
    const { model, result } = await trained({ freeze: ['b*'], length: { steps: 12 } });
    const before = new Map(weights(yolov8()));
    const moved = weights(model).filter(([name, w]) => `${w}` !== `${before.get(name)}`);
    expect(result.frozen).toBeGreaterThan(0);
    expect(moved.every(([name]) => !name.startsWith('b'))).toBe(true);
    if (result.bestStep > 0) expect(moved.length).toBeGreaterThan(0);
  });

  test('images without labels: agreement with the model as it came', async () => {
    const bare = images.map(({ name, file }) => ({ name, file }));
    const unlabelled = { fit: bare.slice(0, 12), tune: bare.slice(12) };
    const { result } = await trained({ length: { steps: 3 } }, unlabelled);
    expect(result).toMatchObject({ loss: 'agreement', metric: 'agreement', before: 1 });
  });

  const REFUSED: readonly [string, Partial<TrainSettings>, Partial<TrainContext>, string][] = [
    ['everything is frozen', { freeze: ['*'] }, {}, 'MODEL_NOT_TRAINABLE'],
    ['a loss of another task', { loss: 'cross-entropy' }, {}, 'LOSS_DOES_NOT_FIT'],
    ['no images', {}, { fit: [] }, 'SPLIT_MISSING'],
  ];
  test.each(REFUSED)('%s', async (_, settings, more, code) => {
    await expect(trained(settings, more)).rejects.toMatchObject({ code });
  });

  test('labels of a class that the model has not', async () => {
    const odd = images.map((s) => ({ ...s, boxes: [[7, 0.5, 0.5, 0.2, 0.2] as const] }));
    await expect(trained({}, { fit: odd, tune: odd.slice(0, 2) })).rejects.toMatchObject({
      code: 'CLASSES_DIFFER',
    });
  });

  test('one image, and background alone', async () => {
    const one = { fit: images.slice(0, 1), tune: images.slice(0, 1) };
    expect((await trained({ length: { steps: 2 } }, one)).result.steps).toBe(2);
    const bare = images.map((s) => ({ ...s, boxes: [] }));
    const empty = { fit: bare.slice(0, 6), tune: bare.slice(6, 8) };
    const { told } = await trained({ length: { steps: 3 } }, empty);
    expect(losses(told).every(Number.isFinite)).toBe(true);
  });
});
