/** @file The key that seals secrets is changed, and nothing is lost. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { connectRedis, type Redis } from '../../../src/records/redis.ts';
import { reseal } from '../../../src/secrets/reseal.ts';
import { Seal, sealFor } from '../../../src/secrets/seal.ts';
import { type TestRedis, testRedis } from '../../helpers/redis.ts';

let server: TestRedis;
let redis: Redis;
const folder = mkdtempSync(join(tmpdir(), 'lathe-secrets-'));
beforeAll(async () => {
  server = await testRedis();
  redis = connectRedis(server.url, 'steady');
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  rmSync(folder, { recursive: true });
});

const former = new Seal('former');
const now = new Seal('now', ['former']);

test('what a former key has sealed is opened, and renewed once', () => {
  const sealed = former.seal('whsec_x');

  const renewed = now.renewed(sealed)!;

  expect(now.open(sealed)).toBe('whsec_x');
  expect(new Seal('now').open(renewed)).toBe('whsec_x');
  expect(now.renewed(renewed)).toBeUndefined();
});

test.each([
  ['another key', former.seal('whsec_x')],
  ['nobody', 'bm90aGluZw=='],
])('what was sealed by %s has a clear error', (_, sealed) => {
  expect(() => new Seal('now').open(sealed)).toThrow(
    expect.objectContaining({ code: 'SECRET_UNREADABLE' }),
  );
});

test('every secret in Redis is sealed anew; then the former key is not needed', async () => {
  const at = (key: string) => `${server.prefix}:${key}`;
  const endpoint = {
    id: 'wh',
    secret: former.seal('a'),
    previous: { secret: former.seal('b'), until: '' },
  };
  const entry = { id: 'imp', source: { shown: 'x', sealed: former.seal('c') } };
  await redis.set(at('tenant:ada:signing-secret'), former.seal('d'));
  await redis.set(at('tenant:ada:signing-secret:previous'), former.seal('e'), 'EX', 1000);
  await redis.hset(at('tenant:ada:webhooks'), 'wh', JSON.stringify(endpoint));
  await redis.hset(at('tenant:ada:transfers:imports'), 'imp', JSON.stringify(entry));
  await redis.hset(at('job:job_1'), 'record', '{}', 'secret', former.seal('f'));
  await redis.hset(at('job:job_2'), 'record', '{}', 'secret', '');
  await redis.xadd(at('job:job_1:events'), '*', 'data', '{}');

  const counts = [
    await reseal(redis, server.prefix, now),
    await reseal(redis, server.prefix, now), // nothing is left to do
  ];

  const current = new Seal('now');
  const kept = JSON.parse((await redis.hget(at('tenant:ada:webhooks'), 'wh'))!);
  const imported = JSON.parse((await redis.hget(at('tenant:ada:transfers:imports'), 'imp'))!);
  const sealed = [
    ...[kept.secret, kept.previous.secret, imported.source.sealed],
    await redis.get(at('tenant:ada:signing-secret')),
    await redis.get(at('tenant:ada:signing-secret:previous')),
    await redis.hget(at('job:job_1'), 'secret'),
  ];
  expect(counts).toEqual([5, 0]);
  expect(sealed.map((s) => current.open(s!))).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  expect(await redis.ttl(at('tenant:ada:signing-secret:previous'))).toBeGreaterThan(0);
});

test('a key of the data folder is a former key once there is a setting', async () => {
  const dataDir = join(folder, 'data');
  const own = await sealFor({ secretKey: '', previousSecretKeys: [], dataDir });
  const sealed = own.seal('whsec_x');

  const set = await sealFor({ secretKey: 'from the environment', previousSecretKeys: [], dataDir });

  expect(set.open(sealed)).toBe('whsec_x');
  expect(set.rotating).toBe(true);
  writeFileSync(join(dataDir, 'secret.key'), 'lost');
  const without = await sealFor({ secretKey: 'x', previousSecretKeys: [], dataDir });
  expect(() => without.open(sealed)).toThrow(/LATHE_PREVIOUS_SECRET_KEYS/);
});
