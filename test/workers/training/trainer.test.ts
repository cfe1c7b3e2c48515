/** @file One step at a time: accumulation, BatchNormalization by batch statistics, what is written back. */

import { describe, expect, test } from 'vitest';

import type { Model } from '../../../workers/onnx/graph.ts';
import { floatsOf } from '../../../workers/onnx/values.ts';
import { blockSize } from '../../../workers/runtime/blocked/block-size.ts';
import type { TaskBinding } from '../../../workers/tasks/task.ts';
import { canonical } from '../../../workers/training/canonical.ts';
import { chooseLoss } from '../../../workers/training/losses/registry.ts';
import { sgd } from '../../../workers/training/optimizers/sgd.ts';
import { findParameters } from '../../../workers/training/parameters.ts';
import { OPTIMIZER_OPTIONS } from '../../../workers/training/settings.ts';
import { buildTrainGraph } from '../../../workers/training/train-graph.ts';
import { Trainer } from '../../../workers/training/trainer.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

/** Conv, norm, Conv on four images of 2 × 6 × 6. */
const normed = (): Model =>
  modelOf(
    `(float[4, 2, 6, 6] x, float[3, 2, 3, 3] w, float[3] scale, float[3] shift, float[3] mean, float[3] var,
      float[2, 3, 1, 1] v, float[2] b) => (float[4, 2, 6, 6] y) {
      c = Conv<pads = [1, 1, 1, 1]>(x, w)
      n = BatchNormalization<epsilon = 0.001, momentum = 0.9>(c, scale, shift, mean, var)
      r = Relu(n)
      y = Conv(r, v, b)
    }`,
    {
      w: randomWeight([3, 2, 3, 3], 1, 0.4),
      scale: { dims: [3], data: [1.1, 0.7, 1.3] },
      shift: { dims: [3], data: [0.1, -0.2, 0.3] },
      mean: { dims: [3], data: [0, 0.1, -0.1] },
      var: { dims: [3], data: [1, 2, 0.5] },
      v: randomWeight([2, 3, 1, 1], 2, 0.4),
      b: { dims: [2], data: [0.1, -0.3] },
    },
  );

const images = (seed: number) => randomWeight([4, 2, 6, 6], seed, 1).data as number[];
const generic = { task: 'generic' } as TaskBinding;
const batch = () => {
  const targets = { y: Float32Array.from(images(8)) };
  const labels = { kind: 'tensors', targets } as const;
  return { images: Float32Array.from(images(7)), dims: [4, 2, 6, 6], labels };
};

async function trainer(accumulate: number, batchStatistics = false) {
  const model = await canonical(normed());
  const { bound } = chooseLoss('mse', model.graph, generic, { labelled: false });
  const options = { optimizer: sgd, optimizerOptions: OPTIMIZER_OPTIONS };
  const graph = buildTrainGraph(model, findParameters(model.graph), bound, 4, {
    ...options,
    decay: 0.01,
    clip: undefined,
    ema: false,
    accumulate,
    batchStatistics,
    block: await blockSize(),
  });
  return Trainer.open(graph, 'x', { ...options, threads: 1, provider: 'cpu' });
}

const initializer = (model: Model, name: string) => [
  ...floatsOf(model.graph.initializers.find((v) => v.name === name)!.constant!),
];

describe('trainer', () => {
  test('two equal runs averaged are one run', async () => {
    const [once, twice] = [await trainer(1), await trainer(2)];
    for (let i = 0; i < 3; i++) {
      const a = await once.train([batch()], 0.05, 0);
      const b = await twice.train([batch(), batch()], 0.05, 0);
      expect(b.loss).toBeCloseTo(a.loss, 6);
      expect(b.norm).toBeCloseTo(a.norm, 5);
    }
    const [a, b] = [normed(), normed()];
    once.writeInto(a);
    twice.writeInto(b);
    for (const name of ['w', 'scale', 'shift', 'v', 'b'])
      for (const [i, x] of initializer(a, name).entries())
        expect(initializer(b, name)[i], name).toBeCloseTo(x, 6);
    await Promise.all([once.release(), twice.release()]);
  });

  test('statistics stay as they are, or follow the batch', async () => {
    const [frozen, moving] = [await trainer(1), await trainer(1, true)];
    await frozen.train([batch()], 0, 0);
    await moving.train([batch()], 0, 0);
    const [a, b] = [normed(), normed()];
    frozen.writeInto(a);
    moving.writeInto(b);
    expect(initializer(a, 'mean')).toEqual(initializer(normed(), 'mean'));
    const { mean, variance } = statistics();
    for (const c of [0, 1, 2]) {
      const was = { mean: [0, 0.1, -0.1][c]!, variance: [1, 2, 0.5][c]! };
      expect(initializer(b, 'mean')[c]).toBeCloseTo(0.9 * was.mean + 0.1 * mean[c]!, 5);
      expect(initializer(b, 'var')[c]).toBeCloseTo(0.9 * was.variance + 0.1 * variance[c]!, 5);
    }
    await Promise.all([frozen.release(), moving.release()]);
  });

  test('a step whose numbers are not finite changes nothing', async () => {
    const it = await trainer(1);
    const bad = batch();
    bad.images[5] = Number.NaN;
    const before = it.snapshot();
    expect(await it.train([bad], 0.1, 0)).toMatchObject({ adopted: false });
    expect(it.snapshot()).toBe(before);
    expect(await it.train([batch()], 0.1, 0)).toMatchObject({ adopted: true });
    await it.release();
  });
});

/** Mean and population variance of the first Conv's outputs, by hand. */
function statistics() {
  const x = images(7);
  const w = initializer(normed(), 'w');
  const at = (n: number, c: number, i: number, j: number) =>
    i < 0 || j < 0 || i > 5 || j > 5 ? 0 : Math.fround(x[((n * 2 + c) * 6 + i) * 6 + j]!);
  const moments = [0, 1, 2].map((m) => {
    const all: number[] = [];
    for (let n = 0; n < 4; n++)
      for (let i = 0; i < 6; i++)
        for (let j = 0; j < 6; j++) {
          let sum = 0;
          for (let c = 0; c < 2; c++)
            for (let k = 0; k < 9; k++)
              sum += w[(m * 2 + c) * 9 + k]! * at(n, c, i + Math.floor(k / 3) - 1, j + (k % 3) - 1);
          all.push(sum);
        }
    const mean = all.reduce((a, b) => a + b, 0) / all.length;
    return { mean, variance: all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length };
  });
  return { mean: moments.map((s) => s.mean), variance: moments.map((s) => s.variance) };
}
