/** @file Time by tables: what lies between their points, what channels save, which of them go. */

import { expect, test } from 'vitest';

import { findGroups } from '../../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../../workers/pruning/coupling/prepare.ts';
import { CostModel } from '../../../../workers/pruning/search/cost-model.ts';
import { latencyAware } from '../../../../workers/pruning/search/latency-aware.ts';
import { TimeModel } from '../../../../workers/pruning/search/time-model.ts';
import {
  type LayerTimes,
  layerTimes,
  timeAt,
} from '../../../../workers/pruning/targets/layer-times.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';

const model = await prepareForPruning(
  modelOf(
    `(float[1,3,32,32] X, float[32,3,3,3] A, float[64,32,3,3] B, float[64,1,3,3] D, float[4,64,1,1] C) => (float[1,4,32,32] Y) {
      H = Conv<pads=[1, 1, 1, 1]>(X, A)  P = Conv<pads=[1, 1, 1, 1]>(H, B)
      Q = Conv<pads=[1, 1, 1, 1], group=64>(P, D)  Y = Conv(Q, C) }`,
    {
      ...{ A: randomWeight([32, 3, 3, 3], 1), B: randomWeight([64, 32, 3, 3], 2) },
      ...{ D: randomWeight([64, 1, 3, 3], 3), C: randomWeight([4, 64, 1, 1], 4) },
    },
  ),
);
const { groups } = findGroups(model);
const options = { threads: 1, provider: 'cpu', signal: new AbortController().signal };
const times = await layerTimes(model, { ...options, progress: () => {} });

test('every layer has a table of times', () => {
  expect(times.map(({ node }) => node.outputs[0]!.name)).toEqual(['H', 'P', 'Q', 'Y']);
  expect(times[1]).toMatchObject({ outputs: [16, 32, 48, 64], inputs: [8, 16, 24, 32] });
  expect(times[2]).toMatchObject({ outputs: [16, 32, 48, 64], inputs: [1], input: undefined });
  for (const { ms } of times) for (const t of ms.flat()) expect(t).toBeGreaterThan(0);
});

/** The tables of P and Q as they would be on a machine where only P takes time: 1 ms per 1024 products of widths. */
const tables: LayerTimes[] = times.slice(1, 3).map((t, i) => ({
  ...t,
  ms: t.outputs.map((o) => t.inputs.map((n) => (i === 0 ? (o * n) / 1024 : 0.001 * o))),
}));

test.each([
  [64, 32, 2],
  [40, 32, 1.25],
  [64, 20, 1.25],
  [8, 32, 0.25],
])('P at %i × %i: %f ms', (out, inner, ms) => {
  expect(timeAt(tables[0]!, out, inner)).toBeCloseTo(ms, 6);
});

test('what channels save is the difference of tables', () => {
  const time = new TimeModel(tables);
  const [h, p] = groups;
  expect(time.total).toBeCloseTo(2.064, 6);
  expect(time.saving(h!, [0, 1, 2, 3])).toBeCloseTo(0.25, 6);
  expect(time.saving(p!, [0, 1, 2, 3])).toBeCloseTo(4 / 32 + 0.004, 6);
  time.remove(p!, [0, 1, 2, 3]);
  expect(time.saving(p!, [0, 1, 2, 3])).toBe(0);
  expect(time.cost).toBeCloseTo(2.064 - 0.129, 6);
});

test('at equal scores those go first that save most time', () => {
  const cost = new CostModel(model, 'macs', 1);
  const slow: LayerTimes[] = tables.map((t, i) => ({
    ...t,
    // Only the width of Q matters: channels of P.
    ms: t.ms.map((row, k) => row.map(() => (i === 1 ? t.outputs[k]! : 0))),
  }));
  const gone = latencyAware.remove({
    ...{ groups, cost, times: new TimeModel(slow), goal: 0.8 * cost.total },
    ...{ slack: 0.02 * cost.total, chunk: () => 8, grain: () => 8, floor: () => 8 },
    scores: groups.map(({ size }) => new Float64Array(size).fill(1)),
  });
  expect(gone[0]).toEqual([]);
  expect(gone[1]!.length).toBeGreaterThan(0);
});
