/** @file Which workers are alive, and what they can do. */

import type { Redis } from 'ioredis';

export interface WorkerRecord {
  readonly id: string;
  /** Execution provider of its jobs. */
  readonly provider: string;
  readonly concurrency: number;
  readonly version: string;
}

/** A worker that was not heard of for so long is taken for dead. */
const SILENT_MS = 30_000;
export const BEAT_MS = 10_000;

export class Workers {
  readonly #redis: Redis;
  readonly #records: string;
  readonly #seen: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#records = `${prefix}:workers`;
    this.#seen = `${prefix}:workers:seen`;
  }

  async beat(worker: WorkerRecord, now = Date.now()): Promise<void> {
    await this.#redis
      .multi()
      .hset(this.#records, worker.id, JSON.stringify(worker))
      .zadd(this.#seen, now, worker.id)
      .exec();
  }

  async leave(id: string): Promise<void> {
    await this.#redis.multi().hdel(this.#records, id).zrem(this.#seen, id).exec();
  }

  async live(now = Date.now()): Promise<WorkerRecord[]> {
    const gone = await this.#redis.zrangebyscore(this.#seen, '-inf', now - SILENT_MS);
    for (const id of gone) await this.leave(id);
    const found = await this.#redis.hvals(this.#records);
    return found.map((json) => JSON.parse(json) as WorkerRecord);
  }
}
