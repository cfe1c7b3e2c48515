/** @file Quotas: what is used and allowed, and what happens when it is used up. */

import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startWorker } from '../../workers/main.ts';
import { workerConfig } from '../../workers/worker-config.ts';
import { BYTES, modelFile, openSite, type Site } from './site.ts';

let site: Site;
const KEYS = { ada: 'key-of-ada-1', bob: 'key-of-bob-1', eve: 'key-of-eve-1', ops: 'key-of-ops-1' };
type Tenant = keyof typeof KEYS;
const as = (tenant: Tenant) => ({ authorization: `Bearer ${KEYS[tenant]}` });

beforeAll(async () => {
  site = await openSite({
    LATHE_API_KEYS: Object.entries(KEYS)
      .map((pair) => pair.join(':'))
      .join(','),
    LATHE_OPERATORS: 'ops',
    LATHE_QUOTA_JOBS_QUEUED: '100',
  });
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

const allow = (tenant: Tenant, change: object) =>
  site.http.patch(`/v1/tenants/${tenant}`).set(as('ops')).send(change).expect(200);
const quota = async (tenant: Tenant) => (await site.http.get('/v1/quota').set(as(tenant))).body;
const upload = (tenant: Tenant, number: number) =>
  site.http.post('/v1/models').set(as(tenant)).type(BYTES).send(modelFile(number));
const submit = (tenant: Tenant, model: string, spec: object = {}) =>
  site.http
    .post('/v1/jobs')
    .set(as(tenant))
    .send({ model, stages: [{ stage: 'simplify' }], cache: false, ...spec });

test('everybody sees their own; only operators see and set those of all', async () => {
  expect(await quota('ada')).toEqual({
    tenant: 'ada',
    weight: 1,
    allowed: { jobsQueued: 100, jobsRunning: 0, bytesStored: 0, uploadBytesPerHour: 0 },
    used: { jobsQueued: 0, jobsRunning: 0, bytesStored: 0, uploadBytesPerHour: 0 },
  });
  for (const call of [
    site.http.get('/v1/tenants'),
    site.http.get('/v1/tenants/ada'),
    site.http.patch('/v1/tenants/ada').send({ weight: 5 }),
  ])
    expect((await call.set(as('ada'))).body).toMatchObject({ status: 403, code: 'SCOPE_MISSING' });
  const listed = (await site.http.get('/v1/tenants').set(as('ops'))).body.items;
  expect(listed.map((t: { tenant: string }) => t.tenant)).toEqual(Object.keys(KEYS).sort());
});

test('what is set holds, null takes it back, and what is not valid is refused', async () => {
  await allow('bob', { weight: 2.5, jobsRunning: 3, jobsQueued: 7 });
  expect(await quota('bob')).toMatchObject({
    weight: 2.5,
    allowed: { jobsQueued: 7, jobsRunning: 3 },
  });
  await allow('bob', { weight: null, jobsQueued: null });
  expect(await quota('bob')).toMatchObject({
    weight: 1,
    allowed: { jobsQueued: 100, jobsRunning: 3 },
  });
  const patch = (body: object, tenant = 'bob') =>
    site.http.patch(`/v1/tenants/${tenant}`).set(as('ops')).send(body);
  expect((await patch({ weight: 0 })).body.code).toBe('REQUEST_INVALID');
  expect((await patch({ jobs: 1 })).body.errors[0].pointer).toBe('/jobs');
  expect((await patch({ weight: 1 }, 'a%20b')).body.code).toBe('TENANT_NOT_FOUND');
});

test('jobs that wait: the one too many is refused with what is used and allowed', async () => {
  const model = (await upload('ada', 1)).body.id;
  await allow('ada', { jobsQueued: 2 });
  const [first] = [(await submit('ada', model)).body.id, (await submit('ada', model)).body.id];

  const refused = await submit('ada', model);
  await site.http.post(`/v1/jobs/${first}/cancel`).set(as('ada')).expect(200);
  const accepted = await submit('ada', model);

  expect(refused.body).toMatchObject({
    ...{ status: 429, code: 'QUOTA_EXCEEDED', retryable: true },
    errors: [{ pointer: 'jobsQueued', detail: 'Jobs that wait: 2 used, 2 allowed' }],
  });
  expect(accepted.status).toBe(202);
  expect((await quota('ada')).used.jobsQueued).toBe(2);
});

test('bytes stored: uploads and jobs are refused when they are used up, and deleting makes room', async () => {
  const [a, b] = [modelFile(1), modelFile(2)];
  await allow('bob', { bytesStored: a.length + 10 });
  const kept = (await upload('bob', 1)).body.id;

  const refused = await upload('bob', 2);
  expect((await quota('bob')).used.bytesStored).toBe(a.length);
  await site.http.delete(`/v1/models/${kept}`).set(as('bob')).expect(204);
  const accepted = await upload('bob', 2);

  expect(refused.body).toMatchObject({ status: 429, code: 'QUOTA_EXCEEDED' });
  expect(refused.body.detail).toContain(`${a.length} bytes are stored`);
  expect(accepted.status).toBe(201);
  await allow('bob', { bytesStored: b.length });
  expect((await submit('bob', accepted.body.id)).body.errors[0].pointer).toBe('bytesStored');
});

test('upload rate: beyond it uploads are refused until there is room', async () => {
  const size = modelFile(5).length;
  await allow('eve', { uploadBytesPerHour: Math.round(1.5 * size) });

  const answers = [await upload('eve', 5), await upload('eve', 6)];

  expect(answers.map(({ status }) => status)).toEqual([201, 429]);
  expect(Number(answers[1]!.headers['retry-after'])).toBeGreaterThan(60);
  expect(answers[1]!.body.errors[0].pointer).toBe('uploadBytesPerHour');
  expect((await quota('eve')).used.uploadBytesPerHour).toBeGreaterThan(0.9 * size);
});

test('artifacts of jobs count as stored, and no more jobs of a tenant are at work than may be', async () => {
  const model = (await upload('ops', 1)).body.id;
  await allow('ops', { jobsRunning: 1 });
  const before = (await quota('ops')).used.bytesStored;
  const env = {
    ...{ REDIS_URL: site.redis.url, LATHE_REDIS_PREFIX: site.redis.prefix },
    ...{
      LATHE_DATA_DIR: site.folder,
      LATHE_WORK_DIR: `${site.folder}-work`,
      LATHE_CONCURRENCY: '3',
    },
  };
  const worker = await startWorker(workerConfig(env), pino({ level: 'silent' }));
  const ids = await Promise.all([1, 2].map(async () => (await submit('ops', model)).body.id));

  const seen: number[] = [];
  for (const id of ids)
    for (;;) {
      seen.push((await quota('ops')).used.jobsRunning);
      const { body } = await site.http.get(`/v1/jobs/${id}?wait=1`).set(as('ops'));
      if (body.status === 'succeeded') break;
      expect(['queued', 'running']).toContain(body.status);
    }
  await worker.close();

  expect(Math.max(...seen)).toBe(1);
  expect((await quota('ops')).used.bytesStored).toBeGreaterThan(before);
  for (const id of ids) await site.http.delete(`/v1/jobs/${id}`).set(as('ops')).expect(204);
  expect((await quota('ops')).used.bytesStored).toBe(before);
});
