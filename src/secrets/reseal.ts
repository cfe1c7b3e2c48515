/** @file Seal every secret in Redis with the current key, so that a former one can be thrown away. */

import type { Redis } from '../records/redis.ts';
import type { Seal } from './seal.ts';

/** KEYS: key. ARGV: value as read, new value. A secret that was replaced meanwhile stays. */
const REPLACE_TEXT = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`;

/** KEYS: hash. ARGV: field, value as read, new value. */
const REPLACE_FIELD = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`;

/**
 * Where secrets lie: signing secrets of tenants, of their webhook endpoints, of jobs; addresses of imports.
 *
 * @returns how many were sealed anew
 */
export async function reseal(redis: Redis, prefix: string, seal: Seal): Promise<number> {
  let count = 0;
  for await (const key of keysOf(redis, `${prefix}:tenant:*:signing-secret*`))
    count += await resealText(redis, key, seal);
  for await (const key of keysOf(redis, `${prefix}:tenant:*:webhooks`))
    count += await resealFields(redis, key, (json) => renewedEndpoint(json, seal));
  for await (const key of keysOf(redis, `${prefix}:tenant:*:transfers:imports`))
    count += await resealFields(redis, key, (json) => renewedImport(json, seal));
  for await (const key of keysOf(redis, `${prefix}:job:*`))
    count += await resealJob(redis, key, seal);
  return count;
}

/** Characters that mean something in a pattern mean themselves in a prefix. */
async function* keysOf(redis: Redis, pattern: string): AsyncGenerator<string> {
  const MATCH = pattern.replaceAll(/[{}[\]?\\]/g, '\\$&');
  for (let cursor = '0'; ; ) {
    const [next, keys] = await redis.scan(cursor, 'MATCH', MATCH, 'COUNT', 1000);
    yield* keys;
    if (next === '0') return;
    cursor = next;
  }
}

async function resealText(redis: Redis, key: string, seal: Seal): Promise<number> {
  const sealed = await redis.get(key);
  const renewed = sealed ? seal.renewed(sealed) : undefined;
  return renewed ? Number(await redis.eval(REPLACE_TEXT, 1, key, sealed!, renewed)) : 0;
}

async function resealJob(redis: Redis, key: string, seal: Seal): Promise<number> {
  if ((await redis.type(key)) !== 'hash') return 0; // the stream of its events
  const sealed = await redis.hget(key, 'secret');
  const renewed = sealed ? seal.renewed(sealed) : undefined;
  return renewed ? Number(await redis.eval(REPLACE_FIELD, 1, key, 'secret', sealed!, renewed)) : 0;
}

async function resealFields(
  redis: Redis,
  key: string,
  renew: (json: string) => string | undefined,
): Promise<number> {
  let count = 0;
  for (const [field, json] of Object.entries(await redis.hgetall(key))) {
    const renewed = renew(json);
    if (renewed) count += Number(await redis.eval(REPLACE_FIELD, 1, key, field, json, renewed));
  }
  return count;
}

interface Endpoint {
  readonly secret: string;
  readonly previous: { readonly secret: string } | null;
}

function renewedEndpoint(json: string, seal: Seal): string | undefined {
  const endpoint = JSON.parse(json) as Endpoint;
  const secret = seal.renewed(endpoint.secret);
  const before = endpoint.previous ? seal.renewed(endpoint.previous.secret) : undefined;
  if (secret === undefined && before === undefined) return undefined;
  const previous = endpoint.previous && {
    ...endpoint.previous,
    secret: before ?? endpoint.previous.secret,
  };
  return JSON.stringify({ ...endpoint, secret: secret ?? endpoint.secret, previous });
}

function renewedImport(json: string, seal: Seal): string | undefined {
  const record = JSON.parse(json) as { source: { sealed: string } | null };
  const sealed = record.source ? seal.renewed(record.source.sealed) : undefined;
  return sealed && JSON.stringify({ ...record, source: { ...record.source, sealed } });
}
