/** @file Wait for a job to change, and follow what it says. */

import type { JobEvents, StreamedEvent } from '../records/events.ts';
import { type JobRecord, TERMINAL } from '../records/job-record.ts';
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

/**
 * Events of a job after the given one as they come, to the terminal one of its latest attempt.
 *
 * @param after id of the last event that is known; '' is from the beginning
 */
export async function* eventsOf(
  { service, events }: Needs,
  { tenant, id }: Pick<JobRecord, 'tenant' | 'id'>,
  after: string,
  signal: AbortSignal,
): AsyncGenerator<StreamedEvent> {
  let last = after;
  let ended = false;
  const bell = new Bell();
  const stop = events.watch(id, bell.ring);
  try {
    while (!signal.aborted) {
      const heard = bell.next();
      const batch = await events.read(id, last);
      for (const event of batch) {
        yield event;
        last = event.id;
      }
      if (batch.length > 0) continue;
      if (ended) return;
      // Record and event are written in one step: once more, for what came between the two reads.
      ended = await hasEnded(service, tenant, id);
      if (!ended) await either(heard, undefined, signal);
    }
  } finally {
    stop();
  }
}

/** A function of its own, so that no record is kept by those who wait. */
async function hasEnded(service: Needs['service'], tenant: string, id: string): Promise<boolean> {
  const job = await service.jobs.get(tenant, id);
  return !job || TERMINAL.has(job.status);
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
  milliseconds: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const leave = () => aborted.resolve();
  const clock = milliseconds === undefined ? undefined : setTimeout(leave, milliseconds);
  signal.addEventListener('abort', leave, { once: true });
  await Promise.race([heard, aborted.promise]);
  clearTimeout(clock);
  signal.removeEventListener('abort', leave);
}
