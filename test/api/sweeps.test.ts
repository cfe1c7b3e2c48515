/** @file Sweeps, with a real worker: grid and list, shared stages, the front, cancelling and following as a whole. */

import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type RunningWorker, startWorker } from '../../workers/main.ts';
import { workerConfig } from '../../workers/worker-config.ts';
import { receiver } from '../helpers/receiver.ts';
import { BYTES, datasetFile, modelFile, openSite, type Site } from './site.ts';

let site: Site;
let worker: RunningWorker;
let model: string;
let dataset: string;

const upload = async (path: string, file: Buffer): Promise<string> =>
  (await site.http.post(`/v1/${path}`).type(BYTES).send(file)).body.id;

beforeAll(async () => {
  site = await openSite();
  model = await upload('models', modelFile());
  dataset = await upload('datasets', await datasetFile());
});
afterAll(async () => {
  await worker?.close();
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

const stages = [{ stage: 'simplify' }, { stage: 'quantize', images: 4 }];
const submit = (spec: object, query: object = {}) =>
  site.http.post('/v1/sweeps').query(query).send(spec);
const read = async (id: string, wait = 0) =>
  (await site.http.get(`/v1/sweeps/${id}`).query({ wait })).body;

test('dryRun shows the spec of every point and queues nothing', async () => {
  const grid = { '/stages/1/images': [2, 4], '/seed': [0, 1] };
  const plan = (await submit({ model, dataset, stages, grid }, { dryRun: true })).body;

  expect(plan.jobs.map((j: { point: object }) => j.point)).toEqual([
    { '/stages/1/images': 2, '/seed': 0 },
    { '/stages/1/images': 2, '/seed': 1 },
    { '/stages/1/images': 4, '/seed': 0 },
    { '/stages/1/images': 4, '/seed': 1 },
  ]);
  expect(plan.jobs[2].spec).toMatchObject({
    seed: 0,
    stages: [{}, { images: 4, precision: 'int8' }],
  });
  expect((await site.http.get('/v1/jobs')).body.items).toEqual([]);
});

test.each([
  ['neither grid nor list', { stages }, ''],
  ['both', { stages, grid: { '/seed': [1] }, specs: [{ seed: 1 }] }, ''],
  ['a pointer to nowhere', { stages, grid: { '/stages/7/images': [1] } }, '/grid'],
  [
    'too many points',
    { stages, grid: { '/seed': Array(20).fill(1), '/cache': Array(20).fill(true) } },
    '/grid',
  ],
  [
    'a value that is not valid',
    { stages, grid: { '/stages/1/images': [2, 'x'] } },
    '/stages/1/images',
  ],
  [
    'an entry that is not valid',
    { specs: [{ stages }, { stages: [{ stage: 'simplfy' }] }] },
    '/specs/1/stages/0/stage',
  ],
  ['a field of no meaning', { stages, grid: { '/seed': [1] }, best: 1 }, '/best'],
])('%s is refused with a pointer, and no job is made', async (_, spec, pointer) => {
  const answer = await submit({ model, dataset, ...spec });

  expect([answer.status, answer.body.code], answer.text).toEqual([422, 'SPEC_INVALID']);
  expect(answer.body.errors[0].pointer).toBe(pointer);
  expect((await site.http.get('/v1/jobs')).body.items).toEqual([]);
});

test('a sweep waits, is cancelled as a whole and deleted as a whole', async () => {
  const answer = await submit({ model, dataset, stages, grid: { '/seed': [1, 2, 3] } });
  const { id, status, jobs, counts } = answer.body;
  expect([answer.status, status, counts], answer.text).toEqual([202, 'queued', { queued: 3 }]);
  expect(answer.headers['location']).toBe(`/v1/sweeps/${id}`);

  const cancelled = (await site.http.post(`/v1/sweeps/${id}/cancel`)).body;
  expect(cancelled).toMatchObject({ status: 'cancelled', counts: { cancelled: 3 }, best: null });
  expect((await site.http.get('/v1/sweeps')).body.items.map((s: { id: string }) => s.id)).toEqual([
    id,
  ]);
  await site.http.delete(`/v1/sweeps/${id}`).expect(204);

  expect((await site.http.get(`/v1/sweeps/${id}`)).body.code).toBe('SWEEP_NOT_FOUND');
  expect((await site.http.get(`/v1/jobs/${jobs[0].id}`)).status).toBe(404);
});

test('the same idempotency key is the same sweep', async () => {
  const spec = { model, dataset, stages, grid: { '/seed': [8, 9] } };
  const post = () => submit(spec).set('idempotency-key', '"one"');
  const [a, b] = [(await post()).body, (await post()).body];

  expect(b.id).toBe(a.id);
  expect(b.jobs.map((j: { id: string }) => j.id)).toEqual(a.jobs.map((j: { id: string }) => j.id));
  await site.http.delete(`/v1/sweeps/${a.id}`).expect(204);
});

test('jobs share first stages; the front and the best are named; events, chart and webhook tell of the whole', {
  timeout: 240_000,
}, async () => {
  const hooks = await receiver();
  await site.http.post('/v1/webhooks').send({ url: hooks.url, events: ['sweep.finished'] });
  const { id, jobs } = (
    await submit({
      ...{ model, dataset, stages, accept: { minAgreement: 0 }, labels: { team: 'a' } },
      grid: { '/stages/1/precision': ['int8', 'int16', 'fp16'] },
    })
  ).body;
  const held = (await site.http.get(`/v1/jobs/${jobs[1].id}`)).body;
  expect(held).toMatchObject({ sweep: id, waitReason: expect.stringContaining(jobs[0].id) });
  const env = {
    ...{ REDIS_URL: site.redis.url, LATHE_REDIS_PREFIX: site.redis.prefix },
    ...{
      LATHE_DATA_DIR: site.folder,
      LATHE_WORK_DIR: `${site.folder}-work`,
      LATHE_CONCURRENCY: '2',
    },
  };
  worker = await startWorker(workerConfig(env), pino({ level: 'silent' }));

  const stream = await site.http.get(`/v1/sweeps/${id}/events`);
  const sweep = await read(id, 60);

  expect(sweep).toMatchObject({ status: 'succeeded', progress: 1, counts: { succeeded: 3 } });
  const resumed = await Promise.all(
    jobs.map(async (job: { id: string }) => {
      const report = await site.http.get(`/v1/jobs/${job.id}/artifacts/report.json`);
      return report.body.stages.map((s: { resumed: boolean }) => s.resumed);
    }),
  );
  expect(resumed).toEqual([
    [false, false],
    [true, false],
    [true, false],
  ]);
  const bytes = sweep.jobs.map((j: { final: { bytes: number } }) => j.final.bytes);
  const least = sweep.jobs[bytes.indexOf(Math.min(...bytes))];
  expect(sweep.best).toBe(least.id);
  expect(sweep.front[0]).toBe(least.id);
  expect(least.final.latencyMs).toBeGreaterThan(0);
  const events = [...stream.text.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
  expect([events[0], events.at(-1)]).toEqual(['snapshot', 'state']);
  expect(events).toContain('job');
  const svg = await site.http.get(`/v1/sweeps/${id}/chart.svg`).buffer(true);
  expect(svg.headers['content-type']).toContain('image/svg+xml');
  expect(String(svg.text ?? svg.body).match(/<circle/g)).toHaveLength(3);
  await expect.poll(() => hooks.received.length, { timeout: 20_000 }).toBe(1);
  expect(JSON.parse(hooks.received[0]!.body)).toMatchObject({
    type: 'sweep.finished',
    data: { id, best: least.id, labels: { team: 'a' } },
  });
  await hooks.close();
});
