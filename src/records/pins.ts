/** @file Stored files that somebody is about to name, and files that are about to be deleted: never both. */

import type { Redis } from 'ioredis';

/** Between pinning a file and the record that names it. */
const PINNED_MS = 3_600_000;
/** Between condemning a file and its deletion; whoever deletes and dies is out of the way then. */
const CONDEMNED_MS = 60_000;

/** KEYS: pins, condemned. ARGV: now, until, digests. Answers 0 where one is being deleted, and pins none. */
const PIN = `
for i = 3, #ARGV do
  local until_ = redis.call('ZSCORE', KEYS[2], ARGV[i])
  if until_ and tonumber(until_) > tonumber(ARGV[1]) then return 0 end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], ARGV[2], ARGV[i]) end
return 1`;

/** KEYS: pins, condemned. ARGV: now, until, digest. Answers 0 where it is pinned. */
const CONDEMN = `
local pinned = redis.call('ZSCORE', KEYS[1], ARGV[3])
if pinned and tonumber(pinned) > tonumber(ARGV[1]) then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
return 1`;

/**
 * Collection deletes files that no record names. A record that is written just then, over files that were there when
 * it was decided upon, would name nothing: so its writer pins them first, looks whether they are there, and then
 * writes; collection condemns a file before it deletes it. Redis lets only one of the two happen.
 */
export class Pins {
  readonly #redis: Redis;
  readonly #keys: readonly [pins: string, condemned: string];

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#keys = [`${prefix}:files:pinned`, `${prefix}:files:condemned`];
  }

  /** Nothing of this is deleted for an hour. @returns false: something of it is being deleted now */
  async hold(digests: readonly string[], now = Date.now()): Promise<boolean> {
    if (digests.length === 0) return true;
    return (await this.#redis.eval(PIN, 2, ...this.#keys, now, now + PINNED_MS, ...digests)) === 1;
  }

  /** To be called before a deletion. @returns false: it may not be deleted */
  async condemn(digest: string, now = Date.now()): Promise<boolean> {
    const until = now + CONDEMNED_MS;
    return (await this.#redis.eval(CONDEMN, 2, ...this.#keys, now, until, digest)) === 1;
  }

  /** It is deleted: others may come to have these bytes. */
  async deleted(digest: string): Promise<void> {
    await this.#redis.zrem(this.#keys[1], digest);
  }
}
