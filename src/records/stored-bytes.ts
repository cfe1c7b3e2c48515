/** @file How many bytes a tenant's models, data sets and jobs name: a sum that is kept as they come and go. */

import type { Redis } from 'ioredis';

import type { ArtifactRecord } from './job-record.ts';
import { tenantKeys } from './tenant-keys.ts';

/** KEYS: stored. ARGV: id, bytes. The same again changes nothing. */
const KEEP = `
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local now = tonumber(ARGV[2])
if now == 0 then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
if now ~= before then redis.call('HINCRBY', KEYS[1], 'total', ARGV[2] - before) end`;

/** @param id of the model, data set or job @param bytes 0: it is gone */
export async function keepStored(
  redis: Redis,
  prefix: string,
  tenant: string,
  id: string,
  bytes: number,
): Promise<void> {
  await redis.eval(KEEP, 1, tenantKeys(prefix).stored(tenant), id, bytes);
}

/** Of a job's files, each once. */
export function bytesOf(artifacts: readonly ArtifactRecord[]): number {
  const files = new Map(artifacts.map(({ digest, bytes }) => [digest, bytes]));
  return [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
}
