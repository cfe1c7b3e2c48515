/** A point of a curve is what the model says with the channels really cut out. */

import { expect, test } from 'vitest';
import type { Model } from '../../../workers/onnx/graph.ts';
import { findGroups } from '../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../workers/pruning/coupling/prepare.ts';
import { cotangents } from '../../../workers/pruning/criteria/sources/cotangents.ts';
import { cut } from '../../../workers/pruning/cut/cut.ts';
import { sensitivityCurves } from '../../../workers/pruning/sensitivity.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const SIZE = 8;
const model = await prepareForPruning(
  modelOf(
    `(float[1,3,6,6] X, float[8,3,1,1] A, float[8] a, float[8,8,1,1] B, float[2,16,1,1] C) => (float[1,2,6,6] Y) {
      H = Conv(X, A, a)
      S = Sigmoid(H)
      P = Conv(S, B)
      J = Concat<axis=1>(S, P)
      Y = Conv(J, C) }`,
    {
      ...{ A: randomWeight([8, 3, 1, 1], 1), a: randomWeight([8], 2) },
      ...{ B: randomWeight([8, 8, 1, 1], 3), C: randomWeight([2, 16, 1, 1], 4) },
    },
  ),
);
const feeds = randomInputs(model, 5);

test('the relative change of the outputs, group by group', async () => {
  const { groups } = findGroups(model);
  const scores = groups.map(() => Float64Array.from({ length: SIZE }, (_, c) => c));
  const progress: number[] = [];

  const curves = await sensitivityCurves(
    model,
    groups,
    scores,
    {
      from: 'cotangents',
      source: cotangents({ seed: 1 }),
      async *images() {
        yield { feeds };
      },
    },
    {
      ...{ threads: 1, provider: 'cpu', signal: new AbortController().signal },
      progress: (done) => progress.push(done),
    },
  );

  expect(groups.map(({ size }) => size)).toEqual([SIZE, SIZE]);
  expect(curves.map(({ group }) => group)).toEqual(groups.map(({ id }) => id));
  const whole = await answer(model);
  for (const [i, { points }] of curves.entries()) {
    expect(points.map(({ removed }) => removed)).toEqual([0, 2, 4, 6]);
    expect(points[0]!.loss).toBe(0);
    for (const { removed, loss } of points.slice(1)) {
      const left = Array.from({ length: SIZE - removed }, (_, c) => c + removed);
      const { model: smaller } = cut(model, groups, new Map([[groups[i]!.id, left]]));
      const expected = change(await answer(smaller), whole);
      expect(expected).toBeGreaterThan(0);
      expect(loss / expected).toBeCloseTo(1, 4);
    }
  }
  expect(progress.at(-1)).toBeLessThanOrEqual(1);
});

const change = (y: readonly number[], whole: readonly number[]) =>
  whole.reduce((sum, w, i) => sum + (y[i]! - w) ** 2, 0) /
  whole.reduce((sum, w) => sum + w ** 2, 0);

async function answer(of: Model): Promise<number[]> {
  const session = await openSession(of);
  try {
    return [...((await session.run(feeds))['Y']!.data as Float32Array)];
  } finally {
    await session.release();
  }
}
