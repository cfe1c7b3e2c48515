/** @file Which workers are alive, what they can do, and whether they shall take jobs. */

import type { Redis } from 'ioredis';

import type { WorkerView } from '../contract/worker.ts';

/** What is wanted of a worker: `draining` ends it once its jobs have ended. */
export type Duty = 'working' | 'paused' | 'draining';

export type WorkerRecord = Omit<WorkerView, 'seenAt'>;

/** A worker that was not heard of for so long is taken for dead. */
const SILENT_MS = 30_000;
export const BEAT_MS = 10_000;

/** By the clock of Redis: those of workers may differ. */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** KEYS: records, seen. ARGV: id, record. */
const BEAT = `${NOW}
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])`;

/** KEYS: records, seen, wanted. ARGV: silence in ms. Forgets the silent ones; answers records and when they were seen. */
const LIVE = `${NOW}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1])) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', KEYS[3], id)
end
local found = {}
for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
  found[#found + 1] = redis.call('HGET', KEYS[1], id)
  found[#found + 1] = redis.call('ZSCORE', KEYS[2], id) or tostring(now)
end
return found`;

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

  async beat(worker: WorkerRecord): Promise<void> {
    const record = JSON.stringify(worker);
    await this.#redis.eval(BEAT, 2, this.#records, this.#seen, worker.id, record);
  }

  async leave(id: string): Promise<void> {
    await this.#redis
      .multi()
      .hdel(this.#records, id)
      .zrem(this.#seen, id)
      .hdel(this.#wanted, id)
      .exec();
  }

  async live(): Promise<WorkerView[]> {
    const keys = [this.#records, this.#seen, this.#wanted];
    const found = (await this.#redis.eval(LIVE, keys.length, ...keys, SILENT_MS)) as string[];
    const all = found.flatMap((json, i) =>
      i % 2 === 0 ? [{ ...(JSON.parse(json) as WorkerRecord), seenAt: at(found[i + 1]!) }] : [],
    );
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async find(id: string): Promise<WorkerView | undefined> {
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

const at = (milliseconds: string) => new Date(Number(milliseconds)).toISOString();
