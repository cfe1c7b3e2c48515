/** @file Importance of real groups of a small network: all criteria from one pass. */

import { expect, test } from 'vitest';
import { layerOutputs } from '../../../../workers/pruning/compensation/pairs.ts';
import { watchSensitivity } from '../../../../workers/pruning/compensation/positions.ts';
import { findGroups } from '../../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../../workers/pruning/coupling/prepare.ts';
import {
  NORMALIZATIONS,
  type Normalization,
  removalOrder,
} from '../../../../workers/pruning/criteria/normalize.ts';
import { residualVariances } from '../../../../workers/pruning/criteria/reconstruction.ts';
import { CRITERIA, type CriterionName } from '../../../../workers/pruning/criteria/registry.ts';
import { scoreGroups } from '../../../../workers/pruning/criteria/score.ts';
import { cotangents } from '../../../../workers/pruning/criteria/sources/cotangents.ts';
import { random } from '../../../../workers/runtime/random.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';

const NAMES = Object.keys(CRITERIA) as CriterionName[];
const CHANNELS = 6;
const IMAGES = 6;

/** A residual block whose channel 4 is made of zeros and whose channel 1 nobody reads. */
async function network() {
  const zero = {
    A: randomWeight([6, 3, 3, 3], 1),
    B: randomWeight([6, 6, 3, 3], 2),
    C: randomWeight([4, 6, 1, 1], 3),
  };
  blank(zero.A.data as Float32Array, 27, 4);
  blank(zero.B.data as Float32Array, 54, 4);
  for (let m = 0; m < 4; m++) (zero.C.data as Float32Array)[m * 6 + 1] = 0;
  for (let m = 0; m < 6; m++) (zero.B.data as Float32Array).fill(0, m * 54 + 9, m * 54 + 18);
  return prepareForPruning(
    modelOf(
      `(float[1,3,8,8] X, float[6,3,3,3] A, float[6,6,3,3] B, float[4,6,1,1] C) => (float[1,4,8,8] Y) {
        H = Conv<pads=[1, 1, 1, 1]>(X, A)
        R = Relu(H)
        P = Conv<pads=[1, 1, 1, 1]>(R, B)
        S = Add(R, P)
        Y = Conv(S, C) }`,
      zero,
    ),
  );
}

const blank = (data: Float32Array, size: number, c: number) =>
  data.fill(0, c * size, (c + 1) * size);

async function* images() {
  for (let i = 0; i < IMAGES; i++) {
    const rng = random(i);
    yield {
      feeds: { X: { dims: [1, 3, 8, 8], data: Float32Array.from({ length: 192 }, rng.normal) } },
    };
  }
}

async function scored(normalization: Normalization = 'global', draws = 2) {
  const model = await network();
  const { groups } = findGroups(model);
  let done = 0;
  const scores = await scoreGroups(model, groups, NAMES, {
    ...{ images: images(), source: cotangents({ seed: 7, draws }), threads: 1, provider: 'cpu' },
    ...{ signal: new AbortController().signal, onImage: (n) => (done = n), seed: 3, normalization },
  });
  return { groups, scores, done };
}

test('every criterion scores every channel of every group', async () => {
  const { groups, scores, done } = await scored();

  expect(done).toBe(IMAGES);
  expect(groups.map((g) => g.size)).toEqual([CHANNELS]);
  for (const name of NAMES) {
    expect(scores[name], name).toHaveLength(1);
    expect(
      [...scores[name][0]!].every((s) => Number.isFinite(s) && s >= 0),
      name,
    ).toBe(true);
    expect(scores[name][0], name).toHaveLength(CHANNELS);
  }
});

test.each(NAMES.filter((n) => !['fpgm', 'random', 'l1', 'l2', 'lamp'].includes(n)))(
  '%s: a channel of zeros goes first',
  async (name) => {
    const { scores } = await scored();

    expect(scores[name][0]![4]).toBeLessThan(1e-6);
  },
);

test.each(['fisher', 'taylor', 'hessian', 'reconstruction'] as const)(
  '%s: a channel that nobody reads goes first too',
  async (name) => {
    const { scores } = await scored();

    expect(removalOrder(scores[name][0]!).slice(0, 2).sort()).toEqual([1, 4]);
  },
);

test('positions for least squares come from the same pass', async () => {
  const model = await network();
  const layers = layerOutputs(model);
  const watch = watchSensitivity(layers, { patches: 20 * IMAGES, images: IMAGES, seed: 1 });

  await scoreGroups(model, findGroups(model).groups, ['fisher'], {
    ...{ images: images(), source: cotangents({ seed: 7 }), threads: 1, provider: 'cpu' },
    ...{ signal: new AbortController().signal, onImage: () => {}, seed: 3 },
    ...{ normalization: 'global', beside: [watch] },
  });

  expect(layers.map(({ output }) => output.name)).toEqual(['H', 'P', 'Y']);
  const never = random(0);
  for (const { output } of layers)
    for (let image = 0; image < IMAGES; image++) {
      const chosen = watch.positions(image, output.name, 64, 20, never);
      expect(chosen).toHaveLength(20);
      expect(chosen.every((p, i) => p >= (chosen[i - 1] ?? 0) && p < 64)).toBe(true);
    }
  expect(never.uniform(), 'no position was drawn anew').toBe(random(0).uniform());
});

test('the same seed gives the same scores', async () => {
  const [a, b] = [await scored(), await scored()];

  expect(a.scores).toEqual(b.scores);
});

test.each([
  ['global', [1, 4, 3], [1, 4, 3]],
  ['group', [1, 4, 4], [1 / 3, 4 / 3, 4 / 3]],
  ['group', [0, 0], [0, 0]],
  ['layer', [7, 1, 7, 2], [2.5 / 4, 0.5 / 4, 3.5 / 4, 1.5 / 4]],
] as const)('%s normalisation of %j', (name, scores, expected) => {
  expect(Array.from(NORMALIZATIONS[name](Float64Array.from(scores)))).toEqual(expected);
});

test('what stays of a channel that others explain is next to nothing, of an independent one its variance', () => {
  const rng = random(1);
  const samples = Array.from({ length: 4000 }, () => {
    const [a, b] = [rng.normal(), 2 * rng.normal()];
    return [a, b, a - b + 3];
  });
  const mean = [0, 1, 2].map((i) => samples.reduce((s, x) => s + x[i]!, 0) / samples.length);
  const second = [0, 1, 2].flatMap((i) =>
    [0, 1, 2].map((j) => samples.reduce((s, x) => s + x[i]! * x[j]!, 0) / samples.length),
  );

  const all = residualVariances(second, mean);
  const two = residualVariances([second[0]!, second[1]!, second[3]!, second[4]!], mean.slice(0, 2));

  expect(Math.max(...all)).toBeLessThan(0.02);
  expect(two[0]).toBeCloseTo(1, 1);
  expect(two[1]! / 4).toBeCloseTo(1, 1);
});
