/** @file One writer at a time for each upload, on whichever server it arrives: the locker of tus, over Redis. */

import { setTimeout as sleep } from 'node:timers/promises';

import type { Lock, Locker, RequestRelease } from '@tus/server';

import { ServiceError } from '../contract/errors.ts';
import { Lease } from '../records/lease.ts';
import type { Redis } from '../records/redis.ts';

/** A newer request waits so long for the older one to end. */
const PATIENCE_MS = 8000;
const PAUSE_MS = 150;

/**
 * A client that reconnects finds its own former request still holding the upload: so a newer request asks the holder,
 * by a message that every server hears, to end what it is doing.
 */
export class RedisLocker implements Locker {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #prefix: string;
  /** Of this process: how to ask the holder of an upload to end. */
  readonly #holders = new Map<string, RequestRelease>();

  /** @param subscriber a connection that does nothing but subscriptions */
  constructor(redis: Redis, subscriber: Redis, prefix: string) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    this.#prefix = prefix;
    subscriber.on('message', (channel, id: string) => {
      if (channel === this.#channel()) void this.#holders.get(id)?.();
    });
  }

  async start(): Promise<void> {
    await this.#subscriber.subscribe(this.#channel());
  }

  newLock(id: string): Lock {
    let lease: Lease | undefined;
    return {
      lock: async (signal, requestRelease) => {
        lease = await this.#take(id, signal);
        this.#holders.set(id, requestRelease);
        lease.lost.addEventListener('abort', () => void requestRelease(), { once: true });
      },
      unlock: async () => {
        this.#holders.delete(id);
        await lease?.release();
      },
    };
  }

  /** @throws UPLOAD_LOCKED */
  async #take(id: string, signal: AbortSignal): Promise<Lease> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const lease = await Lease.take(this.#redis, `${this.#prefix}:uploads:lock:${id}`);
      if (lease) return lease;
      if (signal.aborted || performance.now() > until)
        throw new ServiceError('UPLOAD_LOCKED', { id });
      await this.#redis.publish(this.#channel(), id);
      await sleep(PAUSE_MS);
    }
  }

  #channel = () => `${this.#prefix}:uploads:release`;
}
