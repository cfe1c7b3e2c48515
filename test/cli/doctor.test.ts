/** @file `lathe doctor` against a Redis, a storage and workers that are what they should be, and not. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Check, Finding } from '../../cli/checks/check.ts';
import { access, storage, workers } from '../../cli/checks/service.ts';
import { connectRedis } from '../../src/records/redis.ts';
import { redisHealth } from '../../src/records/redis-health.ts';
import { Workers } from '../../src/records/workers.ts';
import { LATHE } from '../../workers/jobs/versions.ts';
import { OWN_REDIS_ONLY, type TestRedis, testRedis } from '../helpers/redis.ts';

let server: TestRedis;
let redis: ReturnType<typeof connectRedis>;
const folder = mkdtempSync(join(tmpdir(), 'lathe-doctor-'));

beforeAll(async () => {
  server = await testRedis();
  redis = connectRedis(server.url, 'steady');
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** As `lathe doctor` runs it: what a check throws is its finding. */
async function look(check: Check, env: NodeJS.ProcessEnv = {}): Promise<Finding> {
  const all = { REDIS_URL: server.url, LATHE_REDIS_PREFIX: server.prefix, LATHE_DATA_DIR: folder };
  try {
    return await check({ ...all, ...env });
  } catch (error) {
    return { name: check.name, state: 'bad', detail: (error as Error).message };
  }
}

test('storage is written to and read back; nothing stays', async () => {
  expect(await look(storage)).toMatchObject({ state: 'good' });
  expect(
    readdirSync(folder, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()),
  ).toEqual([]);
});

test('a storage that cannot be written to is bad', async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');

  expect((await look(storage, { LATHE_DATA_DIR: file })).state).toBe('bad');
  rmSync(file);
});

test.each([
  ['without keys on every address', { LATHE_HOST: '0.0.0.0' }, 'bad', /there are no keys/],
  [
    'that on purpose',
    { LATHE_HOST: '0.0.0.0', LATHE_INSECURE: '1' },
    'warn',
    /anybody who reaches 0\.0\.0\.0/,
  ],
  [
    'two tenants and no operator',
    { LATHE_API_KEYS: 'a:key-of-a-1,b:key-of-b-1' },
    'warn',
    /LATHE_OPERATORS/,
  ],
  ['one tenant', { LATHE_API_KEYS: 'a:key-of-a-1,a:key-of-a-2' }, 'good', /^keys of a$/],
  ['no keys, this machine only', {}, 'good', /this machine only/],
] as const)('access: %s', async (_, env, state, detail) => {
  const said = await look(access, env);

  expect(said.state).toBe(state);
  expect(said.detail).toMatch(detail);
});

test('workers: none, one that is paused, one that works, one of another version', async () => {
  const records = new Workers(redis, server.prefix);
  const beat = (id: string, more: object = {}) =>
    records.beat({
      ...{ id, provider: 'cpu', concurrency: 1, running: 0, duty: 'working' },
      ...{ version: LATHE, startedAt: new Date().toISOString(), ...more },
    } as never);
  const said = () => look(workers);

  expect(await said()).toMatchObject({ state: 'warn', detail: 'no worker takes jobs (0 alive)' });
  await beat('paused', { duty: 'paused' });
  expect(await said()).toMatchObject({ state: 'warn', detail: 'no worker takes jobs (1 alive)' });
  await beat('works');
  expect(await said()).toMatchObject({ state: 'good', detail: '2 alive, 1 take jobs' });
  await beat('old', { version: '0.0.1' });
  expect(await said()).toMatchObject({ state: 'warn', detail: expect.stringContaining('old') });
});

test.runIf(process.env['LATHE_TEST_REDIS_URL'] === undefined)(
  `Redis: every setting that loses jobs is named (${OWN_REDIS_ONLY})`,
  async () => {
    const faults = async () => (await redisHealth(server.url)).faults.join('; ');

    expect(await faults()).toBe('');
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await faults()).toContain('set noeviction');
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.config('SET', 'appendonly', 'no');
    expect(await faults()).toContain('appendonly is off');
    await redis.config('SET', 'appendonly', 'yes');
    // Until its first file is written, Redis does not let itself be stopped.
    const persistence = () => redis.info('persistence');
    await expect
      .poll(persistence, { timeout: 20_000 })
      .toMatch(/aof_rewrite_in_progress:0[\s\S]*aof_rewrite_scheduled:0/);
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))![1]);
    await redis.config('SET', 'maxmemory', String(Math.round(1.1 * used)));
    expect(await faults()).toContain('of its maxmemory is used');
    await redis.config('SET', 'maxmemory', '0');
    expect(await faults()).toBe('');
  },
);
