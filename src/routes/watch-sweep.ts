/** @file Wait for a sweep to end, and follow its jobs. */

import { setTimeout as sleep } from 'node:timers/promises';

import type { SweepView } from '../contract/sweep.ts';
import type { SweepRecord } from '../records/sweeps.ts';
import type { Collaborators } from './collaborators.ts';
import { LONGEST_WAIT } from './watch-job.ts';

type Needs = Pick<Collaborators, 'sweeps' | 'events' | 'closing'>;

/** Jobs say a lot: a sweep is read no more often than this. */
const PAUSE_MS = 500;
/** And no less: where a change was not heard of. */
const LONGEST_MS = 5000;

export const hasEnded = ({ finishedAt }: SweepView): boolean => finishedAt !== null;

/** The sweep at each change of its jobs, the first one at once, to its end. */
export async function* viewsOf(
  { sweeps, events, closing }: Needs,
  sweep: SweepRecord,
  signal: AbortSignal,
): AsyncGenerator<SweepView> {
  let heard = Promise.withResolvers<void>();
  const wake = () => heard.resolve();
  const stops = sweep.jobs.map(({ id }) => events.watch(id, wake));
  const gone = AbortSignal.any([signal, closing]);
  gone.addEventListener('abort', wake, { once: true });
  try {
    while (!gone.aborted) {
      heard = Promise.withResolvers();
      const view = await sweeps.view(sweep);
      yield view;
      if (hasEnded(view)) return;
      await sleep(PAUSE_MS, undefined, { signal: gone }).catch(() => undefined);
      const clock = setTimeout(wake, LONGEST_MS);
      await heard.promise;
      clearTimeout(clock);
    }
  } finally {
    for (const stop of stops) stop();
  }
}

/** At its end, or as it stands when the time is up. */
export async function waitForSweep(
  needs: Needs,
  sweep: SweepRecord,
  seconds: number,
  signal: AbortSignal,
): Promise<SweepView> {
  if (seconds <= 0) return needs.sweeps.view(sweep);
  const late = AbortSignal.timeout(1000 * Math.min(seconds, LONGEST_WAIT));
  let last: SweepView | undefined;
  for await (const view of viewsOf(needs, sweep, AbortSignal.any([signal, late]))) last = view;
  return last && hasEnded(last) ? last : needs.sweeps.view(sweep);
}
