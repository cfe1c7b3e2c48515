/** @file API keys in Redis: hashed, never as they are. */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

import type { Redis } from 'ioredis';

import { newKeyId } from '../contract/ids.ts';
import type { KeyView, NewKey, Scope } from '../contract/key.ts';

export interface KeyRecord {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** SHA-256 of the secret part, hexadecimal: the secret has 256 random bits, so one round is enough. */
  readonly hash: string;
  readonly previous: { readonly hash: string; readonly until: string } | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
}

export const MOST_KEYS = 100;

const SECRET_BYTES = 32;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `lathe_<id>_<secret>`: the id finds the record, the secret proves it. */
const TOKEN = /^lathe_([0-9a-f]{32})_([\w-]{43})$/;

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

const equal = (a: string, b: string): boolean =>
  timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));

/** Something to compare with where there is no such key: takes the same time. */
const NOBODY = hashOf('');

const later = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();

export class Keys {
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** @returns the record and the key itself, which nobody can read again; undefined: there are too many */
  async create(
    tenant: string,
    { name, scopes, days }: NewKey,
  ): Promise<{ readonly record: KeyRecord; readonly key: string } | undefined> {
    if ((await this.#redis.scard(this.#ofTenant(tenant))) >= MOST_KEYS) return undefined;
    const id = newKeyId();
    const { key, hash } = fresh(id);
    const record: KeyRecord = {
      ...{ id, tenant, name, scopes, hash, previous: null, createdAt: later(0) },
      expiresAt: days === undefined ? null : later(days * DAY),
      lastUsedAt: null,
    };
    await this.#redis
      .multi()
      .hset(this.#all(), id, JSON.stringify(record))
      .sadd(this.#ofTenant(tenant), id)
      .exec();
    return { record, key };
  }

  async get(tenant: string, id: string): Promise<KeyRecord | undefined> {
    const record = await this.#find(id);
    return record?.tenant === tenant ? record : undefined;
  }

  /** Oldest first. */
  async list(tenant: string): Promise<KeyRecord[]> {
    const ids = (await this.#redis.smembers(this.#ofTenant(tenant))).sort();
    const found = ids.length === 0 ? [] : await this.#redis.hmget(this.#all(), ...ids);
    return found.flatMap((json) => (json ? [JSON.parse(json) as KeyRecord] : []));
  }

  /** A new key under the same id; the one before is valid for some hours too. */
  async rotate(
    tenant: string,
    id: string,
    overlapHours: number,
  ): Promise<{ readonly record: KeyRecord; readonly key: string } | undefined> {
    const now = await this.get(tenant, id);
    if (!now) return undefined;
    const { key, hash } = fresh(id);
    const previous =
      overlapHours > 0 ? { hash: now.hash, until: later(overlapHours * HOUR) } : null;
    const record = { ...now, hash, previous };
    await this.#redis.hset(this.#all(), id, JSON.stringify(record));
    return { record, key };
  }

  /** @returns whether it was there */
  async revoke(tenant: string, id: string): Promise<boolean> {
    if (!(await this.get(tenant, id))) return false;
    const answers = await this.#redis
      .multi()
      .hdel(this.#all(), id)
      .srem(this.#ofTenant(tenant), id)
      .exec();
    return answers?.[0]?.[1] === 1;
  }

  /** Whose key it is; undefined: nobody's, or not valid any more. */
  async identify(token: string, now = Date.now()): Promise<KeyRecord | undefined> {
    const [, hex = '', secret = ''] = TOKEN.exec(token) ?? [];
    if (hex === '') return undefined;
    const record = await this.#find(`key_${hex}`);
    const given = hashOf(secret);
    const current = equal(given, record?.hash ?? NOBODY);
    const before = equal(given, record?.previous?.hash ?? NOBODY);
    if (!record || (record.expiresAt !== null && Date.parse(record.expiresAt) <= now))
      return undefined;
    const overlap = before && Date.parse(record.previous!.until) > now;
    if (!current && !overlap) return undefined;
    await this.#used(record, now);
    return record;
  }

  /** Once a minute is often enough. */
  async #used(record: KeyRecord, now: number): Promise<void> {
    if (record.lastUsedAt !== null && now - Date.parse(record.lastUsedAt) < MINUTE) return;
    const used = JSON.stringify({ ...record, lastUsedAt: new Date(now).toISOString() });
    await this.#redis.eval(REPLACE, 1, this.#all(), record.id, JSON.stringify(record), used);
  }

  async #find(id: string): Promise<KeyRecord | undefined> {
    const json = await this.#redis.hget(this.#all(), id);
    return json === null ? undefined : (JSON.parse(json) as KeyRecord);
  }

  #all = () => `${this.#prefix}:keys`;
  #ofTenant = (tenant: string) => `${this.#prefix}:tenant:${tenant}:keys`;
}

/** KEYS: keys. ARGV: id, record as read, new record. A key that was revoked meanwhile stays revoked. */
const REPLACE = `
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end`;

function fresh(id: string): { readonly key: string; readonly hash: string } {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { key: `lathe_${id.slice('key_'.length)}_${secret}`, hash: hashOf(secret) };
}

export function keyView(record: KeyRecord): KeyView {
  const { id, name, scopes, createdAt, expiresAt, lastUsedAt, previous } = record;
  const previousValidUntil = previous?.until ?? null;
  return { id, name, scopes: [...scopes], createdAt, expiresAt, lastUsedAt, previousValidUntil };
}
