/** @file Events out of a job's process: one JSON object per line on a pipe. */

import { writeSync } from 'node:fs';

import type { JobEvent } from '../../src/contract/events.ts';

/**
 * Written at once and whole, so that nothing said is lost in a crash.
 *
 * @param gone the pipe is closed: nobody listens
 */
export const teller =
  (descriptor: number, gone: () => never) =>
  (event: JobEvent): void => {
    let rest = Buffer.from(`${JSON.stringify(event)}\n`);
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(descriptor, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') gone();
      }
    }
  };
