/** @file Results that are known, and results that are forgotten. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { Purges } from '../../src/records/purges.ts';
import { connectRedis } from '../../src/records/redis.ts';
import { retire } from '../../src/upkeep.ts';
import { type RunningWorker, startWorker } from '../../workers/main.ts';
import { workerConfig } from '../../workers/worker-config.ts';
import { BYTES, modelFile, openSite, type Site } from './site.ts';

let site: Site;
let worker: RunningWorker;
let model: string;
const KEYS = { ada: 'key-of-ada-1', bob: 'key-of-bob-1' };
const as = (tenant: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[tenant]}` });

beforeAll(async () => {
  site = await openSite({ LATHE_API_KEYS: `ada:${KEYS.ada},bob:${KEYS.bob}` });
  const env = {
    REDIS_URL: site.redis.url,
    LATHE_REDIS_PREFIX: site.redis.prefix,
    LATHE_DATA_DIR: site.folder,
    LATHE_WORK_DIR: join(site.folder, 'work'),
  };
  worker = await startWorker(workerConfig(env), pino({ level: 'silent' }));
  for (const tenant of ['ada', 'bob'] as const)
    model = (await site.http.post('/v1/models').set(as(tenant)).type(BYTES).send(modelFile())).body
      .id;
});
afterAll(async () => {
  await worker.close();
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

const SPEC = { stages: [{ stage: 'simplify' }] };

async function run(spec: object, by: 'ada' | 'bob' = 'ada', wait = 60) {
  const call = site.http.post('/v1/jobs').query({ wait }).set(as(by));
  return call.send({ model, ...spec });
}

test('the same spec over the same model is answered at once, and says whose result it is', async () => {
  const first = (await run(SPEC)).body;
  const second = await run({ ...SPEC, labels: { run: '2' }, priority: 'low' }, 'ada', 0);
  const third = (await run(SPEC, 'ada', 0)).body;

  expect(first).toMatchObject({ status: 'succeeded', cachedFrom: null });
  expect(second.status).toBe(200);
  expect(second.body).toMatchObject({
    status: 'succeeded',
    outcome: 'pass',
    cachedFrom: first.id,
    labels: { run: '2' },
    stages: first.stages,
  });
  expect(second.body.id).not.toBe(first.id);
  expect(third.cachedFrom).toBe(first.id);
  const artifacts = async (id: string) =>
    (await site.http.get(`/v1/jobs/${id}/artifacts`).set(as('ada'))).body.items.map(
      (a: { name: string; digest: string }) => [a.name, a.digest],
    );
  expect(await artifacts(third.id)).toEqual(await artifacts(first.id));
});

test('what could give another result is worked on', async () => {
  await run(SPEC);
  const specs = {
    'another seed': { seed: 7 },
    'another option': { stages: [{ stage: 'simplify', inputShape: [1, 3, 32, 32] }] },
    'a limit that is measured': { accept: { minSpeedup: 0.001 } },
    '"cache": false': { cache: false },
  };

  for (const [what, spec] of Object.entries(specs)) {
    const { status, cachedFrom } = (await run({ ...SPEC, ...spec }, 'ada', 0)).body;
    expect([what, status, cachedFrom]).toEqual([what, 'queued', null]);
  }
});

test('the result of another tenant is not known', async () => {
  await run(SPEC, 'ada');
  expect((await run(SPEC, 'bob')).body).toMatchObject({ status: 'succeeded', cachedFrom: null });
});

test('a deleted job is no source, and its answer outlives it', async () => {
  const spec = { ...SPEC, seed: 11 };
  const source = (await run(spec)).body.id;
  const copy = (await run(spec)).body;
  await site.http.delete(`/v1/jobs/${source}`).set(as('ada')).expect(204);

  const file = await site.http.get(`/v1/jobs/${copy.id}/artifacts/model.onnx`).set(as('ada'));
  await site.http.delete(`/v1/jobs/${copy.id}`).set(as('ada')).expect(204);
  const anew = (await run(spec)).body;

  expect([copy.cachedFrom, file.status]).toEqual([source, 200]);
  expect(anew.cachedFrom).toBeNull();
});

test('a result whose files are gone is worked on again', async () => {
  const spec = { ...SPEC, seed: 12 };
  await run(spec);
  rmSync(join(site.folder, 'blobs'), { recursive: true });
  await site.http.post('/v1/models').set(as('ada')).type(BYTES).send(modelFile());

  expect((await run(spec)).body).toMatchObject({ status: 'succeeded', cachedFrom: null });
});

test('jobs that ended long ago are swept away with their files; younger ones stay', async () => {
  const old = (await run({ ...SPEC, seed: 21, cache: false })).body;
  const young = (await run({ ...SPEC, seed: 22, cache: false })).body;
  const redis = connectRedis(site.redis.url, 'steady');
  const { collaborators } = site.services;
  const needs = {
    ...collaborators,
    jobs: collaborators.service.jobs,
    queue: collaborators.service.queue,
    purges: new Purges(redis, site.redis.prefix),
  };
  const monthLater = Date.parse(old.finishedAt) + 30 * 86_400_000 + 1;

  const never = await retire({ ...needs, retentionDays: 0 }, monthLater);
  const retired = await retire({ ...needs, retentionDays: 30 }, monthLater);
  redis.disconnect();

  expect(never).toEqual([]);
  expect(retired).toContain(old.id);
  expect(retired).not.toContain(young.id);
  const status = async (id: string) =>
    (await site.http.get(`/v1/jobs/${id}`).set(as('ada'))).status;
  expect([await status(old.id), await status(young.id)]).toEqual([404, 200]);
});

test.each([
  ['that has passed', '2020-01-01T00:00:00Z', '/expiresAt'],
  ['that is none', '2026-13-45T99:00:00Z', '/expiresAt'],
  ['without a zone', '2030-01-01T00:00:00', '/expiresAt'],
])('a deadline %s is refused', async (_, expiresAt, pointer) => {
  const answer = await run({ ...SPEC, expiresAt });

  expect([answer.status, answer.body.code]).toEqual([422, 'SPEC_INVALID']);
  expect(answer.body.errors[0].pointer).toBe(pointer);
});

test('deadline and class stand in the view; a waiting job expires by itself', async () => {
  await worker.close();
  const expiresAt = new Date(Date.now() + 700).toISOString();
  const { id, ...queued } = (
    await run({ ...SPEC, cache: false, expiresAt, priority: 'high' }, 'ada', 0)
  ).body;

  const ended = (await site.http.get(`/v1/jobs/${id}?wait=10`).set(as('ada'))).body;

  expect(queued).toMatchObject({ status: 'queued', priority: 'high', expiresAt });
  expect(ended).toMatchObject({ status: 'expired', error: { code: 'JOB_EXPIRED' } });
  expect(Date.parse(ended.finishedAt)).toBeGreaterThanOrEqual(Date.parse(expiresAt));
});
