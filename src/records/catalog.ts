/** @file Named files of a tenant in Redis: what models and data sets have in common. */

import type { Redis } from 'ioredis';
import type { Page } from './page.ts';

import { keepStored } from './stored-bytes.ts';

export interface CatalogEntry {
  /** Its name: a digest. */
  readonly id: string;
  /** Digest of the stored bytes: of the file as uploaded, where `id` names its content. */
  readonly blob: string;
  /** Size of the stored bytes. */
  readonly bytes: number;
  /** File name as uploaded. */
  readonly name: string | null;
  readonly createdAt: string;
}

/**
 * A hash per tenant (id → JSON) and a sorted set of its ids by time of creation. References are per tenant:
 * knowing a digest grants nothing.
 */
export class Catalog<Entry extends CatalogEntry> {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #noun: string;

  /** @param noun `models` or `datasets`: part of the keys */
  constructor(redis: Redis, prefix: string, noun: string) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#noun = noun;
  }

  async get(tenant: string, id: string): Promise<Entry | undefined> {
    const json = await this.#redis.hget(this.#entries(tenant), id);
    return json === null ? undefined : (JSON.parse(json) as Entry);
  }

  /** Keeps the first entry of an id. @returns whether this one is new */
  async add(tenant: string, entry: Entry): Promise<boolean> {
    const time = Date.parse(entry.createdAt);
    const answers = await this.#redis
      .multi()
      .sadd(this.#tenants(), tenant)
      .hsetnx(this.#entries(tenant), entry.id, JSON.stringify(entry))
      .zadd(this.#order(tenant), 'NX', time, entry.id)
      .exec();
    const isNew = answers?.[1]?.[1] === 1;
    if (isNew) await this.#stored(tenant, entry.id, entry.bytes);
    return isNew;
  }

  /** @returns whether it was there */
  async remove(tenant: string, id: string): Promise<boolean> {
    await this.#stored(tenant, id, 0);
    const answers = await this.#redis
      .multi()
      .hdel(this.#entries(tenant), id)
      .zrem(this.#order(tenant), id)
      .exec();
    return answers?.[0]?.[1] === 1;
  }

  /** Newest first. @param cursor `nextCursor` of the page before @param limit 1–200 */
  async list(tenant: string, limit: number, cursor?: string): Promise<Page<Entry>> {
    const from = cursor === undefined ? 0 : await this.#after(tenant, cursor);
    const ids = await this.#redis.zrevrange(this.#order(tenant), from, from + limit);
    const page = ids.slice(0, limit);
    const found = page.length === 0 ? [] : await this.#redis.hmget(this.#entries(tenant), ...page);
    const items = found.flatMap((json) => (json ? [JSON.parse(json) as Entry] : []));
    return { items, nextCursor: ids.length > limit ? cursorOf(items.at(-1)!) : null };
  }

  /** The tenant's entry with these stored bytes. */
  async withBlob(tenant: string, blob: string): Promise<Entry | undefined> {
    const all = await this.#redis.hvals(this.#entries(tenant));
    return all.map((json) => JSON.parse(json) as Entry).find((entry) => entry.blob === blob);
  }

  /** Digests of the stored bytes of every tenant's entries. */
  async *blobs(): AsyncGenerator<string> {
    for (const tenant of await this.#redis.smembers(this.#tenants())) {
      for (const json of await this.#redis.hvals(this.#entries(tenant)))
        yield (JSON.parse(json) as Entry).blob;
    }
  }

  /** Place of the first entry after the cursor's, whether or not that one still exists. */
  async #after(tenant: string, cursor: string): Promise<number> {
    const [time = '', id = ''] = cursor.split('-');
    const digest = `sha256:${id}`;
    const [rank, newer, same] = await Promise.all([
      this.#redis.zrevrank(this.#order(tenant), digest),
      this.#redis.zcount(this.#order(tenant), `(${time}`, '+inf'),
      this.#redis.zrangebyscore(this.#order(tenant), time, time),
    ]);
    return rank === null ? newer + same.filter((other) => other > digest).length : rank + 1;
  }

  #stored = (tenant: string, id: string, bytes: number) =>
    keepStored(this.#redis, this.#prefix, tenant, id, bytes);
  #entries = (tenant: string) => `${this.#prefix}:tenant:${tenant}:${this.#noun}`;
  #order = (tenant: string) => `${this.#prefix}:tenant:${tenant}:${this.#noun}:order`;
  #tenants = () => `${this.#prefix}:${this.#noun}:tenants`;
}

export const CURSOR_PATTERN = '^\\d{1,15}-[0-9a-f]{64}$';

const cursorOf = ({ createdAt, id }: CatalogEntry): string =>
  `${Date.parse(createdAt)}-${id.slice('sha256:'.length)}`;
