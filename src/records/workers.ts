/** @file Which workers are alive, what they can do, and whether they shall take jobs. */

import type { Redis } from 'ioredis';

import type { WorkerView } from '../contract/worker.ts';

/** What is wanted of a worker: `draining` ends it once its jobs have ended. */
export type Duty = 'working' | 'paused' | 'draining';

export type WorkerRecord = WorkerView;

/** A worker that was not heard of for so long is taken for dead. */
const SILENT_MS = 30_000;
export const BEAT_MS = 10_000;

export class Workers {
  readonly #redis: Redis;
  readonly #records: string;
  readonly #seen: string;
  readonly #wanted: string;
  /** Channel: a worker's id when something else is wanted of it. */
  readonly changed: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#records = `${prefix}:workers`;
    this.#seen = `${prefix}:workers:seen`;
    this.#wanted = `${prefix}:workers:wanted`;
    this.changed = `${prefix}:workers:changed`;
  }

  async beat(worker: WorkerRecord, now = Date.now()): Promise<void> {
    await this.#redis
      .multi()
      .hset(this.#records, worker.id, JSON.stringify(worker))
      .zadd(this.#seen, now, worker.id)
      .exec();
  }

  async leave(id: string): Promise<void> {
    await this.#redis
      .multi()
      .hdel(this.#records, id)
      .zrem(this.#seen, id)
      .hdel(this.#wanted, id)
      .exec();
  }

  async live(now = Date.now()): Promise<WorkerRecord[]> {
    const gone = await this.#redis.zrangebyscore(this.#seen, '-inf', now - SILENT_MS);
    for (const id of gone) await this.leave(id);
    const found = await this.#redis.hvals(this.#records);
    const all = found.map((json) => JSON.parse(json) as WorkerRecord);
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async find(id: string): Promise<WorkerRecord | undefined> {
    return (await this.live()).find((worker) => worker.id === id);
  }

  /** Tell a worker what is wanted of it: at once where it listens, else at its next beat. */
  async want(id: string, duty: Duty): Promise<void> {
    await this.#redis.hset(this.#wanted, id, duty);
    await this.#redis.publish(this.changed, id);
  }

  async wanted(id: string): Promise<Duty> {
    return ((await this.#redis.hget(this.#wanted, id)) as Duty | null) ?? 'working';
  }
}
