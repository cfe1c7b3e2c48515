/** @file Sweeps of a tenant in Redis: which jobs belong together, and what differs between them. */

import type { Redis } from 'ioredis';

import type { SweepView } from '../contract/sweep.ts';
import { newestPage, type Page } from './page.ts';

export interface SweepRecord {
  readonly id: string;
  readonly tenant: string;
  readonly model: string | null;
  readonly rankBy: SweepView['rankBy'];
  readonly labels: Readonly<Record<string, string>>;
  /** In the order of the grid or list. */
  readonly jobs: readonly {
    readonly id: string;
    readonly point: Readonly<Record<string, unknown>>;
  }[];
  readonly createdAt: string;
}

/** Ids sort by time of creation, so a page is a range of ids and the cursor is the last one seen. */
export class Sweeps {
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** Keeps the first record of an id. @returns the one that is kept */
  async add(sweep: SweepRecord): Promise<SweepRecord> {
    const { id, tenant } = sweep;
    await this.#redis
      .multi()
      .hsetnx(this.#entries(tenant), id, JSON.stringify(sweep))
      .zadd(this.#order(tenant), 0, id)
      .sadd(this.#open(), `${tenant}/${id}`)
      .exec();
    return (await this.get(tenant, id)) ?? sweep;
  }

  async get(tenant: string, id: string): Promise<SweepRecord | undefined> {
    const json = await this.#redis.hget(this.#entries(tenant), id);
    return json === null ? undefined : (JSON.parse(json) as SweepRecord);
  }

  /** Newest first. @param limit 1–200 @param cursor `nextCursor` of the page before */
  list(tenant: string, limit: number, cursor?: string): Promise<Page<SweepRecord>> {
    const keys = { entries: this.#entries(tenant), order: this.#order(tenant) };
    return newestPage(this.#redis, keys, limit, cursor);
  }

  async remove(tenant: string, id: string): Promise<void> {
    await this.#redis
      .multi()
      .hdel(this.#entries(tenant), id)
      .zrem(this.#order(tenant), id)
      .srem(this.#open(), `${tenant}/${id}`)
      .exec();
  }

  /** Those whose end was not told yet. */
  async open(): Promise<SweepRecord[]> {
    const names = await this.#redis.smembers(this.#open());
    const found = await Promise.all(
      names.map((name) => {
        const [tenant = '', id = ''] = name.split('/');
        return this.get(tenant, id);
      }),
    );
    return found.filter((sweep) => sweep !== undefined);
  }

  async closed({ tenant, id }: SweepRecord): Promise<void> {
    await this.#redis.srem(this.#open(), `${tenant}/${id}`);
  }

  #entries = (tenant: string) => `${this.#prefix}:tenant:${tenant}:sweeps`;
  #order = (tenant: string) => `${this.#prefix}:tenant:${tenant}:sweeps:order`;
  #open = () => `${this.#prefix}:sweeps:open`;
}
