/** @file Event streams of jobs: read what was said, and hear of what is new. */

import type { Redis } from 'ioredis';

import type { JobKeys } from './job-keys.ts';
import type { StoredEvent } from './stored-event.ts';

export interface StreamedEvent {
  /** Stream id: the id of the server-sent event. */
  readonly id: string;
  readonly data: StoredEvent & { readonly job: string; readonly at: string };
}

/** Twenty digits may be more than Redis can count to. */
const STREAM_ID = /^\d{1,19}-\d{1,19}$/;

/**
 * One subscription per process, however many clients listen: a change of any job wakes those that watch it, and
 * they read its stream or record themselves. Lost connections wake everybody, so nothing is missed.
 */
export class JobEvents {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #keys: JobKeys;
  readonly #watchers = new Map<string, Set<() => void>>();

  /** @param subscriber a connection of its own, which may do nothing else */
  constructor(redis: Redis, subscriber: Redis, keys: JobKeys) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    this.#keys = keys;
    subscriber.on('message', (channel, id: string) => {
      if (channel === keys.changed) this.#wake(id);
    });
    subscriber.on('ready', () => {
      for (const id of this.#watchers.keys()) this.#wake(id);
    });
  }

  /** Ask Redis for changes; ioredis asks again after each reconnection. */
  async start(): Promise<void> {
    await this.#subscriber.subscribe(this.#keys.changed);
  }

  /** @param after a stream id; '' is from the beginning @param limit at most that many */
  async read(job: string, after = '', limit = 500): Promise<StreamedEvent[]> {
    const from = STREAM_ID.test(after) ? `(${after}` : '-';
    const entries = await this.#redis.xrange(this.#keys.events(job), from, '+', 'COUNT', limit);
    return entries.map(([id, fields]) => ({ id, data: JSON.parse(fields[1] ?? '{}') }));
  }

  /** Whether events after this id may have been dropped: then a client needs a snapshot first. */
  async trimmed(job: string, after: string): Promise<boolean> {
    if (!STREAM_ID.test(after)) return true;
    const [first] = await this.#redis.xrange(this.#keys.events(job), '-', '+', 'COUNT', 1);
    return first === undefined || older(after, first[0]);
  }

  /** Call `wake` at every change of the job until the returned function is called. */
  watch(job: string, wake: () => void): () => void {
    const set = this.#watchers.get(job) ?? new Set();
    this.#watchers.set(job, set.add(wake));
    return () => {
      set.delete(wake);
      if (set.size === 0) this.#watchers.delete(job);
    };
  }

  #wake(job: string): void {
    for (const wake of this.#watchers.get(job) ?? []) wake();
  }
}

function older(a: string, b: string): boolean {
  const [aTime = 0n, aSequence = 0n] = a.split('-').map(BigInt);
  const [bTime = 0n, bSequence = 0n] = b.split('-').map(BigInt);
  return aTime < bTime || (aTime === bTime && aSequence < bSequence);
}
