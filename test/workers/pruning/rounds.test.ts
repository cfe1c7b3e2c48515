/** @file Whole prunings with images: each round proved, rebuilt towards the stage's input. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Sample } from '../../../workers/data/dataset.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { pruneModel } from '../../../workers/pruning/prune-model.ts';
import type { Compensation } from '../../../workers/pruning/settings.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { feedsOf } from '../../../workers/tasks/feed.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import { squares } from '../../helpers/squares.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const PADS = 'strides=[2, 2], pads=[1, 1, 1, 1]';
const make = () =>
  modelOf(
    `(float[1,3,64,64] X, float[32,3,3,3] A, float[32] a, float[48,32,3,3] B, float[48] b, float[4,48,1,1] C) => (float[1,4,16,16] Y) {
      H = Conv<${PADS}>(X, A, a)
      h = Relu(H)
      P = Conv<${PADS}>(h, B, b)
      p = Relu(P)
      Y = Conv(p, C) }`,
    {
      ...{ A: randomWeight([32, 3, 3, 3], 1, 0.3), a: randomWeight([32], 2, 0.1) },
      ...{ B: randomWeight([48, 32, 3, 3], 3, 0.1), b: randomWeight([48], 4, 0.1) },
      C: randomWeight([4, 48, 1, 1], 6, 0.3),
    },
  );
const binding = bindTask(make(), { task: 'generic' });

let folder: string;
let samples: Sample[];
let fresh: Sample[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-rounds-'));
  const all = await squares(folder, 18);
  [samples, fresh] = [all.slice(0, 12), all.slice(12)];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const prune = (compensate: Compensation | false) =>
  pruneModel(
    make(),
    {
      ...{
        target: { resource: 'macs', share: 0.6 },
        criterion: 'fisher',
        normalization: 'global',
      },
      ...{ gradientsFrom: 'auto', search: 'greedy', rounds: 2, protect: [] },
      ...{ multipleOf: 'auto', granularity: 'channel', compensate },
    },
    {
      ...{ binding, samples, tune: [], fileBytes: 1e6, seed: 1, threads: 1, provider: 'cpu' },
      ...{ signal: new AbortController().signal, progress: () => {} },
    },
  );

/** What is left of the error of cuts alone, at most; `channels` does not see what earlier layers left. */
test.each([
  ['patches', 0.8],
  ['channels', 1.1],
] as const)(
  '%s: two rounds meet the target, each proved; error at most %f of that of cuts alone',
  async (way, share) => {
    const [rebuilt, plain] = [await prune(way), await prune(false)];

    expect(rebuilt.rounds).toHaveLength(2);
    expect(plain.rounds).toHaveLength(2);
    expect(rebuilt.gradientsFrom).toBe('cotangents');
    for (const { proof } of rebuilt.rounds) expect(proof).toBeLessThanOrEqual(1e-4);
    expect(rebuilt.shares.macs).toBeLessThanOrEqual(0.6);
    expect(rebuilt.shares.macs).toBeGreaterThanOrEqual(0.58);
    expect(await error(rebuilt.model)).toBeLessThan(share * (await error(plain.model)));
  },
  120_000,
);

/** ‖y − y₀‖ / ‖y₀‖ on images that nothing was fitted to, y₀ the input model's. */
async function error(model: Model): Promise<number> {
  const [whole, cut] = [await openSession(make()), await openSession(model)];
  let [difference, energy] = [0, 0];
  for await (const feeds of feedsOf(fresh, binding)) {
    const [y0, y] = [(await whole.run(feeds))['Y']!, (await cut.run(feeds))['Y']!];
    for (const [i, v] of (y0.data as Float32Array).entries()) {
      difference += (v - Number(y.data[i])) ** 2;
      energy += v ** 2;
    }
  }
  await whole.release();
  await cut.release();
  return Math.sqrt(difference / energy);
}
