/** @file Wait for a job to change. */

import type { JobEvents } from '../records/events.ts';
import type { JobRecord } from '../records/job-record.ts';
import type { Collaborators } from './collaborators.ts';

type Needs = Pick<Collaborators, 'service' | 'events'>;

/** Longest wait of a request, in seconds. */
export const LONGEST_WAIT = 60;

/**
 * Read something again at each of its changes, until `enough` says so, time is up or the signal is aborted.
 *
 * @param id whose changes wake us
 * @returns it as it then stands; undefined: it is gone
 */
export async function waitFor<T>(
  events: JobEvents,
  id: string,
  read: () => Promise<T | undefined>,
  seconds: number,
  signal: AbortSignal,
  enough: (now: T) => boolean,
): Promise<T | undefined> {
  const until = Date.now() + 1000 * Math.min(seconds, LONGEST_WAIT);
  const bell = new Bell();
  const stop = events.watch(id, bell.ring);
  try {
    for (;;) {
      const heard = bell.next(); // before reading, so that no change falls between
      const now = await read();
      const left = until - Date.now();
      if (!now || enough(now) || left <= 0 || signal.aborted) return now;
      await either(heard, left, signal);
    }
  } finally {
    stop();
  }
}

/** A job at the first change that is enough. @returns undefined: it is gone */
export function waitForJob(
  { service, events }: Needs,
  job: JobRecord,
  seconds: number,
  signal: AbortSignal,
  enough: (job: JobRecord) => boolean,
): Promise<JobRecord | undefined> {
  const read = () => service.jobs.get(job.tenant, job.id);
  return waitFor(events, job.id, read, seconds, signal, enough);
}

/** Remembers a ring that came while nobody was waiting. */
class Bell {
  #rung = Promise.withResolvers<void>();

  /** The next ring from now on. */
  next(): Promise<void> {
    this.#rung = Promise.withResolvers();
    return this.#rung.promise;
  }

  ring = (): void => this.#rung.resolve();
}

async function either(
  heard: Promise<void>,
  milliseconds: number,
  signal: AbortSignal,
): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const leave = () => aborted.resolve();
  const clock = setTimeout(leave, milliseconds);
  signal.addEventListener('abort', leave, { once: true });
  await Promise.race([heard, aborted.promise]);
  clearTimeout(clock);
  signal.removeEventListener('abort', leave);
}
