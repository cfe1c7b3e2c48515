/** How far a measured target goes: the share that divides what is reached from what is not. */

import { describe, expect, test } from 'vitest';
import { ServiceError } from '../../../src/contract/errors.ts';
import { approach } from '../../../workers/pruning/targets/approach.ts';

const settings = { factor: 0.8, resolution: 0.02, most: 12 };

/** Trials against a bound: reached above it, or below it. */
async function sought(
  wants: 'least share' | 'largest share',
  first: number,
  bound: number,
  least = 0,
) {
  const { best, trials } = await approach(wants, {
    ...{ ...settings, first },
    async tryShare(share) {
      if (share < least)
        throw new ServiceError('PRUNING_IMPOSSIBLE', { resource: 'macs', wanted: share, least });
      const reached = wants === 'least share' ? share >= bound : share <= bound;
      return { made: share, trial: { share, measured: share, reached } };
    },
  });
  return { best, trials };
}

describe.each([0.15, 0.33, 0.5, 0.62, 0.849, 0.93])('divided at %f', (bound) => {
  test.each([0.3, 0.85])('from %f, accuracy: the least share that reaches', async (first) => {
    const { best } = await sought('least share', first, bound);
    expect(best).toBeGreaterThanOrEqual(bound);
    expect(best).toBeLessThan(bound + 0.05);
  });

  test.each([0.3, 0.85])('from %f, time: the largest share that reaches', async (first) => {
    const { best } = await sought('largest share', first, bound);
    expect(best).toBeLessThanOrEqual(bound);
    expect(best).toBeGreaterThan(bound - 0.05);
  });
});

test('shares that floors forbid count as too far', async () => {
  const { best, trials } = await sought('least share', 0.85, 0.1, 0.4);
  expect(best).toBeGreaterThanOrEqual(0.4);
  expect(best).toBeLessThan(0.43);
  expect(trials.every(({ share }) => share >= 0.4)).toBe(true);
});

test.each(['least share', 'largest share'] as const)('nothing reaches: %s', async (wants) => {
  const never = wants === 'least share' ? 2 : 0;
  const { best, trials } = await sought(wants, 0.85, never, 0.4);
  expect(best).toBeUndefined();
  expect(trials.some(({ reached }) => reached)).toBe(false);
});

test('other failures end it', async () => {
  const failing = approach('least share', {
    ...{ ...settings, first: 0.5 },
    tryShare: () => Promise.reject(new ServiceError('MODEL_CANNOT_RUN', { why: 'x' })),
  });
  await expect(failing).rejects.toMatchObject({ code: 'MODEL_CANNOT_RUN' });
});
