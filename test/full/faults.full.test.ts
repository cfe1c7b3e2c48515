/** @file Each kind of fault twenty times at random moments while jobs run: nothing lost, doubled, untold, broken or left behind. */

import { describe, expect, test } from 'vitest';

import { FAULTS, type FaultName } from '../chaos/faults.ts';
import { Storm } from '../chaos/storm.ts';

const INJECTIONS = 20;
const MINUTES = 60_000;

describe.each(Object.keys(FAULTS) as FaultName[])('%s', (fault) => {
  test(`${INJECTIONS} times`, { timeout: 30 * MINUTES }, async () => {
    const { injections, accepted, statuses, ...wrong } = await new Storm(fault, {
      injections: INJECTIONS,
    }).run();

    console.log(JSON.stringify({ fault, injections, accepted, statuses }));
    expect(wrong).toEqual({
      lost: [],
      doubled: [],
      repeated: [],
      untold: [],
      broken: [],
      orphans: [],
      leftovers: [],
    });
    expect(accepted).toBeGreaterThan(3);
  });
});

test('Redis paused for half a minute, once', { timeout: 10 * MINUTES }, async () => {
  const { accepted, statuses, injections, ...wrong } = await new Storm('Redis paused', {
    injections: 1,
    pauseMs: 30_000,
  }).run();

  expect(Object.values(wrong).flat()).toEqual([]);
});
