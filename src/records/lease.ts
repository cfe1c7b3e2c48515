/** @file Something that one process at a time may do, across machines: held in Redis, renewed while it is held. */

import { randomUUID } from 'node:crypto';

import type { Redis } from 'ioredis';

/** Whoever holds it and dies is out of the way after this time. */
const HELD_MS = 15_000;

/** KEYS: lease. ARGV: token, milliseconds. */
const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;

const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

export class Lease {
  /** Aborted when somebody else may hold it: what is done from then on no longer counts. */
  readonly lost: AbortSignal;
  readonly #redis: Redis;
  readonly #key: string;
  readonly #token: string;
  readonly #clock: NodeJS.Timeout;
  readonly #losing = new AbortController();
  #renewed = performance.now();

  private constructor(redis: Redis, key: string, token: string) {
    this.#redis = redis;
    this.#key = key;
    this.#token = token;
    this.lost = this.#losing.signal;
    this.#clock = setInterval(() => void this.#renew(), HELD_MS / 3);
  }

  /** @returns undefined: somebody else holds it */
  static async take(redis: Redis, key: string): Promise<Lease | undefined> {
    const token = randomUUID();
    const taken = await redis.set(key, token, 'PX', HELD_MS, 'NX');
    return taken === 'OK' ? new Lease(redis, key, token) : undefined;
  }

  async release(): Promise<void> {
    clearInterval(this.#clock);
    await this.#redis.eval(RELEASE, 1, this.#key, this.#token).catch(() => undefined); // it runs out
  }

  async #renew(): Promise<void> {
    const answer = await this.#redis
      .eval(RENEW, 1, this.#key, this.#token, HELD_MS)
      .catch(() => undefined); // Redis is away: it may come back in time
    if (answer === 1) this.#renewed = performance.now();
    else if (answer === 0 || performance.now() - this.#renewed > HELD_MS) this.#losing.abort();
  }
}
