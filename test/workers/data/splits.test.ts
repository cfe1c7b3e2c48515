import { expect, test } from 'vitest';

import type { Dataset, Sample } from '../../../workers/data/dataset.ts';
import { ahead } from '../../../workers/data/parallel.ts';
import { everyFifth, tuneSplit } from '../../../workers/data/splits.ts';

const samples = (n: number): Sample[] =>
  Array.from({ length: n }, (_, i) => ({ name: String(i).padStart(4, '0'), file: String(i) }));

const withTrain = (n: number): Dataset => ({
  id: 'sha256:0',
  task: 'generic',
  classes: undefined,
  splits: { train: samples(n), val: [], test: [] },
  warnings: [],
});

test.each([
  [1, 1, 0],
  [2, 1, 1],
  [4, 3, 1],
  [5, 4, 1],
  [9, 8, 1],
  [10, 8, 2],
  [200, 160, 40],
])('of %i images without splits %i are train and %i val', (n, train, val) => {
  const splits = everyFifth(samples(n));

  expect([splits.train.length, splits.val.length, splits.test.length]).toEqual([train, val, 0]);
});

test.each([0, 1, 4294967295])(
  'tune is a fifth of train, the same for the same seed (%i)',
  (seed) => {
    const { tune, fit } = tuneSplit(withTrain(100), seed);

    expect([tune.length, fit.length]).toEqual([20, 80]);
    expect(new Set([...tune, ...fit].map((s) => s.name)).size).toBe(100);
    expect(tuneSplit(withTrain(100), seed).tune.map((s) => s.name)).toEqual(
      tune.map((s) => s.name),
    );
  },
);

test('another seed draws another tune', () => {
  const draw = (seed: number) => tuneSplit(withTrain(100), seed).tune.map((s) => s.name);

  expect(draw(1)).not.toEqual(draw(2));
});

test('work ahead keeps the order and its bound', async () => {
  let under = 0;
  let most = 0;
  const work = async (i: number) => {
    most = Math.max(most, ++under);
    await new Promise((done) => setTimeout(done, (i * 7) % 5));
    under--;
    return i;
  };

  const results: number[] = [];
  for await (const r of ahead([0, 1, 2, 3, 4, 5, 6, 7], 3, work)) results.push(r);

  expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(most).toBeLessThanOrEqual(3);
});

test('a failure ahead reaches the reader in its turn', async () => {
  const seen: number[] = [];
  const run = async () => {
    for await (const r of ahead([0, 1, 2], 3, async (i) => {
      if (i === 1) throw new Error('no');
      return i;
    }))
      seen.push(r);
  };

  await expect(run()).rejects.toThrow('no');
  expect(seen).toEqual([0]);
});
