/** @file Uploads and imports under way, in Redis: per tenant, forgotten when their time is up. */

import type { Redis } from 'ioredis';

import { ERRORS, ServiceError } from '../contract/errors.ts';
import type { TransferKind, TransferStatus } from '../contract/transfer.ts';

export interface TransferRecord {
  readonly id: string;
  readonly tenant: string;
  readonly kind: TransferKind;
  readonly name: string | null;
  /** What the file must hash to. */
  readonly sha256: string | null;
  readonly status: TransferStatus;
  /** Bytes that have arrived and are kept. */
  readonly offset: number;
  /** Bytes in all; null: not known yet. */
  readonly length: number | null;
  /** Of an import: where it comes from, as shown, and sealed as it is asked for. */
  readonly source: { readonly shown: string; readonly sealed: string } | null;
  /** Id of the model or data set that it has become. */
  readonly result: string | null;
  readonly error: {
    readonly code: string;
    readonly detail: string;
    readonly retryable: boolean;
  } | null;
  readonly createdAt: string;
  readonly changedAt: string;
  readonly finishedAt: string | null;
  readonly expiresAt: string;
}

export const OVER: ReadonlySet<TransferStatus> = new Set(['succeeded', 'failed', 'cancelled']);

/** KEYS: records. ARGV: id, record as read, new record. Answers 1, or 0 where somebody else was faster. */
const REPLACE = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`;

/** A hash per tenant (id → JSON), and one sorted set of all tenants' `<tenant>/<id>` by the time they expire. */
export class Transfers {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #noun: string;

  /** @param noun `uploads` or `imports`: part of the keys */
  constructor(redis: Redis, prefix: string, noun: 'uploads' | 'imports') {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#noun = noun;
  }

  async add(record: TransferRecord): Promise<void> {
    await this.#redis
      .multi()
      .hset(this.#records(record.tenant), record.id, JSON.stringify(record))
      .zadd(this.#expiring(), Date.parse(record.expiresAt), memberOf(record))
      .exec();
  }

  /** What has expired is not there, whether or not it was swept. */
  async get(tenant: string, id: string, now = Date.now()): Promise<TransferRecord | undefined> {
    const json = await this.#redis.hget(this.#records(tenant), id);
    const record = json === null ? undefined : (JSON.parse(json) as TransferRecord);
    return record && Date.parse(record.expiresAt) > now ? record : undefined;
  }

  /** Newest first. */
  async list(tenant: string): Promise<TransferRecord[]> {
    const found = await this.#redis.hvals(this.#records(tenant));
    const all = found.map((json) => JSON.parse(json) as TransferRecord);
    return all.sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  /**
   * @param changer the fields that differ; undefined: nothing. Called again where somebody else was faster.
   * @returns the record as it then stands; undefined: it is gone
   */
  async change(
    tenant: string,
    id: string,
    changer: (now: TransferRecord) => Partial<TransferRecord> | undefined,
  ): Promise<TransferRecord | undefined> {
    const key = this.#records(tenant);
    for (;;) {
      const json = await this.#redis.hget(key, id);
      if (json === null) return undefined;
      const now = JSON.parse(json) as TransferRecord;
      const set = changer(now);
      if (!set) return now;
      const next = { ...now, ...set, changedAt: new Date().toISOString() };
      const done = await this.#redis.eval(REPLACE, 1, key, id, json, JSON.stringify(next));
      if (done !== 1) continue;
      await this.#redis.zadd(this.#expiring(), Date.parse(next.expiresAt), memberOf(next));
      return next;
    }
  }

  /** @returns whether it was there */
  async remove(tenant: string, id: string): Promise<boolean> {
    const answers = await this.#redis
      .multi()
      .hdel(this.#records(tenant), id)
      .zrem(this.#expiring(), `${tenant}/${id}`)
      .exec();
    return answers?.[0]?.[1] === 1;
  }

  /** Those of every tenant whose time is up. */
  async expired(now = Date.now()): Promise<TransferRecord[]> {
    return this.#those(await this.#redis.zrangebyscore(this.#expiring(), '-inf', now));
  }

  /** Those of every tenant. */
  async all(): Promise<TransferRecord[]> {
    return this.#those(await this.#redis.zrange(this.#expiring(), 0, -1));
  }

  async #those(members: readonly string[]): Promise<TransferRecord[]> {
    const found: TransferRecord[] = [];
    for (const member of members) {
      const [tenant = '', id = ''] = member.split('/');
      const json = await this.#redis.hget(this.#records(tenant), id);
      if (json === null) await this.#redis.zrem(this.#expiring(), member);
      else found.push(JSON.parse(json) as TransferRecord);
    }
    return found;
  }

  #records = (tenant: string) => `${this.#prefix}:tenant:${tenant}:transfers:${this.#noun}`;
  #expiring = () => `${this.#prefix}:transfers:${this.#noun}:expiring`;
}

const memberOf = ({ tenant, id }: TransferRecord) => `${tenant}/${id}`;

/** Faults of the server itself: the file may be whole, and is looked into again later. */
const NOT_ITS_FAULT: ReadonlySet<string> = new Set([
  ...['STORAGE_UNAVAILABLE', 'STORAGE_FULL', 'REDIS_UNAVAILABLE', 'SHUTTING_DOWN', 'INTERNAL'],
]);

/** What a record tells of an error; undefined: it is no fault of the file's. */
export function faultOf(error: unknown): TransferRecord['error'] | undefined {
  if (!(error instanceof ServiceError) || NOT_ITS_FAULT.has(error.code)) return undefined;
  const { code, message: detail } = error as ServiceError;
  return { code, detail, retryable: ERRORS[code].retry };
}
