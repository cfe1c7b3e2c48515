/** @file Jobs that are to be forgotten as soon as they have ended. */

import type { Redis } from 'ioredis';

export class Purges {
  readonly #redis: Redis;
  readonly #key: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#key = `${prefix}:jobs:purge`;
  }

  async add(id: string): Promise<void> {
    await this.#redis.sadd(this.#key, id);
  }

  async done(id: string): Promise<void> {
    await this.#redis.srem(this.#key, id);
  }

  all(): Promise<string[]> {
    return this.#redis.smembers(this.#key);
  }

  /** Whether it is time for something that should happen once per interval, in whichever process asks first. */
  async due(what: string, seconds: number): Promise<boolean> {
    return (await this.#redis.set(`${this.#key}:${what}`, '1', 'EX', seconds, 'NX')) === 'OK';
  }
}
