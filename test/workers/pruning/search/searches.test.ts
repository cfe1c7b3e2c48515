/** Which channels go, by scores whose answer is known by hand. */

import { describe, expect, test } from 'vitest';
import { findGroups, type Group } from '../../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../../workers/pruning/coupling/prepare.ts';
import { CostModel } from '../../../../workers/pruning/search/cost-model.ts';
import { chunkQueues } from '../../../../workers/pruning/search/queues.ts';
import { SEARCHES, type SearchName } from '../../../../workers/pruning/search/registry.ts';
import type { SearchContext } from '../../../../workers/pruning/search/search.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';

/** X → 4 channels at 8 × 8 → 8 channels at 4 × 4 → Y of 2: 3·4·64 + 4·8·16 + 8·2·16 = 1536 MACs. */
const model = await prepareForPruning(
  modelOf(
    `(float[1,3,8,8] X, float[4,3,1,1] A, float[8,4,1,1] B, float[2,8,1,1] C) => (float[1,2,4,4] Y) {
      P = Conv(X, A)
      Q = Conv<strides=[2, 2]>(P, B)
      Y = Conv(Q, C) }`,
    {
      A: randomWeight([4, 3, 1, 1], 1),
      B: randomWeight([8, 4, 1, 1], 2),
      C: randomWeight([2, 8, 1, 1], 3),
    },
  ),
);
const { groups } = findGroups(model);
const SCORES = [Float64Array.of(9, 2, 9, 3), Float64Array.of(1, 1, 1, 1, 5, 5, 5, 5)];

const contextOf = (change: Partial<SearchContext> & { share: number }): SearchContext => {
  const cost = new CostModel(model, 'macs', 0);
  return {
    ...{ groups, scores: SCORES, cost, goal: change.share * cost.total, slack: 0.02 * cost.total },
    ...{ chunk: () => 1, grain: () => 1, floor: () => 1 },
    ...change,
  };
};
const sorted = (gone: readonly (readonly number[])[]) =>
  gone.map((own) => [...own].sort((a, b) => a - b));

test('the model is what the sums above say', () => {
  expect(groups.map(({ id, size }) => [id, size])).toEqual([
    ['P', 4],
    ['Q', 8],
  ]);
  expect(new CostModel(model, 'macs', 0).total).toBe(1536);
});

/**
 * A channel of P saves 3·64 + 8·16 = 320, one of Q 4·16 + 2·16 = 96. Per MAC: P1 2/320, P3 3/320, Q0…3 1/96, P0 and P2 9/320.
 */
describe.each<[SearchName, number, number[][]]>([
  ['greedy', 0.8, [[1], []]],
  // After P1, P3 saves as before; then Q0…Q3 save 2·16 + 2·16 = 64 each at 1/64, below P0's 9/320.
  ['greedy', 0.6, [[1, 3], []]],
  ['greedy', 0.55, [[1, 3], [0]]],
  [
    'greedy',
    0.46,
    [
      [1, 3],
      [0, 1, 2],
    ],
  ],
  // By score alone: Q0…3 of 1, then P1 of 2.
  ['global', 0.95, [[], [0]]],
  ['global', 0.75, [[], [0, 1, 2, 3]]],
  ['global', 0.7, [[1], [0, 1, 2, 3]]],
  // 1/8 of Q, then 1/4 of both, then 3/8 of Q.
  ['uniform', 0.95, [[], [0]]],
  ['uniform', 0.75, [[1], [0]]],
  ['uniform', 0.69, [[1], [0, 1]]],
  ['uniform', 0.68, [[1], [0, 1, 2]]],
])('%s to %f of the MACs', (name, share, expected) => {
  test(`takes ${JSON.stringify(expected)}`, () => {
    const context = contextOf({ share });
    expect(sorted(SEARCHES[name].remove(context))).toEqual(expected);
    expect(context.cost.cost).toBeLessThanOrEqual(context.goal);
  });
});

test('sensitivity goes by the curves, not by the scores, and by the scores within a group', () => {
  const line = (group: string, size: number, slope: number) => ({
    group,
    points: [0, size / 2, size].map((removed) => ({ removed, loss: 1 + slope * removed })),
  });
  const take = (p: number, q: number, share: number) =>
    sorted(
      SEARCHES.sensitivity.remove(contextOf({ share, curves: [line('P', 4, p), line('Q', 8, q)] })),
    );

  expect(take(1, 1000, 0.8)).toEqual([[1], []]);
  expect(take(1000, 1, 0.76)).toEqual([[], [0, 1, 2, 3]]);
  // A curve that falls is no reward: both groups cost nothing, and the one that is listed first goes first.
  expect(take(-1, -1, 0.8)).toEqual([[1], []]);
});

describe('the end of a search', () => {
  test.each(['greedy', 'global', 'uniform'] as const)(
    '%s lands at most 0.02 below, by a part of the last chunk',
    (name) => {
      const scores = [Float64Array.of(9, 9, 9, 9), SCORES[1]!];
      for (const share of [0.93, 0.86, 0.8, 0.74]) {
        const context = contextOf({ share, scores, chunk: ({ size }) => size / 2, slack: 96 });
        SEARCHES[name].remove(context);
        expect(context.cost.cost).toBeLessThanOrEqual(context.goal);
        expect(context.cost.cost).toBeGreaterThan(context.goal - 320);
      }
    },
  );

  test('where widths have to be multiples, chunks stay whole', () => {
    const chunk = ({ size }: Group) => size / 2;
    const gone = SEARCHES.greedy.remove(contextOf({ share: 0.98, chunk, grain: chunk }));
    expect(gone.map((own) => own.length)).toEqual([2, 0]);
  });

  test('floors end it short of the goal', () => {
    const context = contextOf({ share: 0.1, floor: ({ size }) => size - 1 });
    expect(SEARCHES.greedy.remove(context).map((own) => own.length)).toEqual([1, 1]);
    expect(context.cost.cost).toBe(3 * 3 * 64 + 3 * 7 * 16 + 7 * 2 * 16);
  });
});

test.each([
  // [size, chunk, floor, unit, lengths of the chunks]
  [16, 8, 8, 1, [8]],
  [20, 8, 8, 1, [4, 8]],
  [18, 8, 2, 1, [2, 8]],
  [18, 8, 0, 1, [2, 8, 8]],
  [18, 8, 2, 4, [8, 8]],
  [6, 8, 3, 1, []],
])(
  'of %i channels in chunks of %i, at least %i left, units of %i: %j',
  (size, chunk, floor, unit, lengths) => {
    const group = { ...groups[0]!, size, unit };
    const scores = [Float64Array.from({ length: size }, (_, c) => size - c)];
    const context = { ...contextOf({ share: 0.5 }), groups: [group], scores };
    const [queue] = chunkQueues({ ...context, chunk: () => chunk, floor: () => floor });

    expect(queue!.map(({ channels }) => channels.length)).toEqual(lengths);
    // Scores fall with the index here, so the last channels go first.
    const order = queue!.flatMap(({ channels }) => channels);
    expect(order).toEqual(order.map((_, i) => size - 1 - i));
  },
);
