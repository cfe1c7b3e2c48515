/** @file Each kind of fault twenty times at random moments while jobs run: nothing lost, doubled, untold, broken or left behind. */

import { describe, expect, test } from 'vitest';

import { FAULTS, type FaultName } from '../chaos/faults.ts';
import { Storm } from '../chaos/storm.ts';

const INJECTIONS = 20;
/** Half a minute is longer than every lock and heartbeat. */
const PAUSE_MS = 30_000;
const MINUTES = 60_000;

describe.each(Object.keys(FAULTS) as FaultName[])('%s', (fault) => {
  test(`${INJECTIONS} times`, { timeout: 60 * MINUTES }, async () => {
    const { injections, accepted, statuses, ...wrong } = await new Storm(fault, {
      injections: INJECTIONS,
      pauseMs: PAUSE_MS,
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
