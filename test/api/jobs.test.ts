/** @file Jobs over HTTP, with a real worker: submit, wait, follow, download, cancel, delete. */

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { LatheClient } from '../../sdk/client.ts';
import { type RunningWorker, startWorker } from '../../workers/main.ts';
import { workerConfig } from '../../workers/worker-config.ts';
import { BYTES, datasetFile, modelFile, openSite, type Site } from './site.ts';

let site: Site;
let dataset: Buffer;
let model: string;

beforeAll(async () => {
  site = await openSite();
  dataset = await datasetFile();
  const uploaded = await site.http.post('/v1/models').type(BYTES).send(modelFile());
  model = uploaded.body.id;
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

const simplify = { stages: [{ stage: 'simplify' }] };
const quantize = { stages: [{ stage: 'simplify' }, { stage: 'quantize', images: 4 }] };
const submit = (spec: object, query: object = {}) =>
  site.http.post('/v1/jobs').query(query).send(spec);

describe('without a worker', () => {
  test('a job is queued: 202, Location, Retry-After, the view', async () => {
    const answer = await submit({ model, ...simplify, labels: { team: 'a' } });
    const { id } = answer.body;

    expect(answer.status, answer.text).toBe(202);
    expect(id).toMatch(/^job_[0-9a-f]{32}$/);
    expect(answer.headers).toMatchObject({ location: `/v1/jobs/${id}`, 'retry-after': '2' });
    expect(answer.body).toMatchObject({
      status: 'queued',
      outcome: null,
      model,
      task: 'classify',
      stages: [{ stage: 'simplify', status: 'waiting', progress: 0, input: null, output: null }],
      error: null,
      queuePosition: 0,
      attempt: 1,
      startedAt: null,
      finishedAt: null,
      labels: { team: 'a' },
      links: { self: `/v1/jobs/${id}` },
    });
    expect(Date.parse(answer.body.createdAt)).toBeGreaterThan(Date.now() - 60_000);
  });

  test('dryRun expands and queues nothing', async () => {
    const before = (await site.http.get('/v1/jobs')).body.items.length;

    const answer = await submit({ model, ...simplify }, { dryRun: true });

    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toMatchObject({
      dryRun: true,
      spec: { model, seed: 0, latency: { threads: 1 }, stages: [{ stage: 'simplify' }] },
      model: { id: model },
      dataset: null,
    });
    expect((await site.http.get('/v1/jobs')).body.items.length).toBe(before);
  });

  test.each([
    ['no stages', {}, 'SPEC_INVALID', '/stages'],
    ['a misspelt field', { ...simplify, acept: {} }, 'SPEC_INVALID', '/acept'],
    ['a misspelt stage', { stages: [{ stage: 'simplfy' }] }, 'SPEC_INVALID', '/stages/0/stage'],
    [
      'a misspelt option',
      { stages: [{ stage: 'quantize', image: 1 }] },
      'SPEC_INVALID',
      '/stages/0/image',
    ],
    ['a wrong type', { ...simplify, seed: '7' }, 'SPEC_INVALID', '/seed'],
    ['a misspelt preset', { preset: 'fst' }, 'SPEC_INVALID', '/preset'],
    [
      'images wanted, none named',
      { stages: [{ stage: 'quantize' }] },
      'DATASET_REQUIRED',
      '/stages/0',
    ],
    [
      'a limit on accuracy without images',
      { ...simplify, accept: { maxDrop: 0.1 } },
      'DATASET_REQUIRED',
      '/accept/maxDrop',
    ],
  ])('%s is refused with a pointer', async (_, spec, code, pointer) => {
    const answer = await submit({ model, ...spec });

    expect([answer.status, answer.body.code], answer.text).toEqual([422, code]);
    expect(answer.body.errors.map((e: { pointer: string }) => e.pointer)).toContain(pointer);
  });

  test.each([
    ['a path as model', { model: 'a.onnx' }, 422, 'SPEC_INVALID'],
    ['no model', { model: undefined }, 422, 'SPEC_INVALID'],
    ['an unknown model', { model: `sha256:${'1'.repeat(64)}` }, 404, 'MODEL_NOT_FOUND'],
    ['an unknown data set', { dataset: `sha256:${'1'.repeat(64)}` }, 404, 'DATASET_NOT_FOUND'],
    ['a webhook to nowhere good', { webhook: { url: 'ftp://x' } }, 422, 'WEBHOOK_TARGET_REFUSED'],
  ])('%s is refused', async (_, change, status, code) => {
    const answer = await submit({ model, ...simplify, ...change });

    expect([answer.status, answer.body.code], answer.text).toEqual([status, code]);
  });

  test.each([
    ['the model before the spec', ['model', 'spec'], 400, 'MULTIPART_INVALID'],
    ['no spec', [], 400, 'MULTIPART_INVALID'],
    ['a stranger', ['spec', 'modle'], 400, 'MULTIPART_INVALID'],
    ['no model', ['spec'], 422, 'SPEC_INVALID'],
  ])('multipart with %s is refused and keeps nothing', async (_, parts, status, code) => {
    const before = site.stored();
    const call = site.http.post('/v1/jobs');
    if (parts.length === 0) call.field('other', 'x');
    for (const part of parts) {
      if (part === 'spec') call.field('spec', JSON.stringify(simplify));
      else call.attach(part, modelFile(77), 'm.onnx');
    }

    const answer = await call;

    expect([answer.status, answer.body.code], answer.text).toEqual([status, code]);
    expect([site.incoming(), site.stored()]).toEqual([[], before]);
  });

  test('If-None-Match: 304 at once, after the wait, or the job at its first change', async () => {
    const { id } = (await submit({ model, ...simplify })).body;
    const path = `/v1/jobs/${id}`;
    const first = await site.http.get(path);
    const known = { 'if-none-match': first.headers['etag'] as string };

    const same = await site.http.get(path).set(known);
    const waited = await site.http.get(path).query({ wait: 1 }).set(known);
    const long = site.http
      .get(path)
      .query({ wait: 30 })
      .set(known)
      .then((answer) => answer);
    await sleep(100);
    const cancelled = await site.http.post(`${path}/cancel`);
    const changed = await long;

    expect([same.status, waited.status]).toEqual([304, 304]);
    expect([cancelled.status, cancelled.body.status]).toEqual([200, 'cancelled']);
    expect([changed.status, changed.body.status]).toEqual([200, 'cancelled']);
    expect(changed.headers['etag']).not.toBe(first.headers['etag']);
  });

  test('without it a wait ends at a terminal state, or with the job as it is; Prefer says the same', async () => {
    const { id } = (await submit({ model, ...simplify })).body;
    const started = Date.now();

    const waited = await site.http.get(`/v1/jobs/${id}`).set('prefer', 'respond-async, wait=1');
    const end = site.http
      .get(`/v1/jobs/${id}`)
      .query({ wait: 500 })
      .then((answer) => answer);
    await sleep(50);
    await site.http.post(`/v1/jobs/${id}/cancel`);

    expect([waited.status, waited.body.status]).toEqual([200, 'queued']);
    expect(waited.headers['preference-applied']).toBe('wait=1');
    expect((await end).body.status).toBe('cancelled');
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  test('cancel is idempotent; retry queues it again; a queued one cannot be retried', async () => {
    const { id } = (await submit({ model, ...simplify })).body;
    const post = (verb: string) => site.http.post(`/v1/jobs/${id}/${verb}`);

    const early = await post('retry');
    const cancelled = [await post('cancel'), await post('cancel')].map((a) => a.body.status);
    const retried = await post('retry');

    expect([early.status, early.body.code]).toEqual([409, 'JOB_NOT_FINISHED']);
    expect(cancelled).toEqual(['cancelled', 'cancelled']);
    expect([retried.status, retried.body.status, retried.body.attempt]).toEqual([202, 'queued', 2]);
  });

  test('a deleted job is gone', async () => {
    const { id } = (await submit({ model, ...simplify })).body;

    const deleted = await site.http.delete(`/v1/jobs/${id}`);
    const after = await Promise.all(
      ['', '/events', '/artifacts'].map((part) => site.http.get(`/v1/jobs/${id}${part}`)),
    );

    expect(deleted.status).toBe(204);
    expect(after.map((a) => [a.status, a.body.code])).toEqual(
      after.map(() => [404, 'JOB_NOT_FOUND']),
    );
  });

  test('lists are filtered and paged', async () => {
    const labels = { list: 'yes', a: 'b' };
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await submit({ model, ...simplify, labels })).body.id);
    await site.http.post(`/v1/jobs/${ids[0]}/cancel`);
    const list = async (query: object) => (await site.http.get('/v1/jobs').query(query)).body;
    const idsOf = (page: { items: { id: string }[] }) => page.items.map(({ id }) => id);

    const page = await list({ label: 'list:yes', limit: 2 });
    const rest = await list({ label: 'list:yes', limit: 2, cursor: page.nextCursor });

    expect([idsOf(page), idsOf(rest), rest.nextCursor]).toEqual([
      ids.slice(0, 2),
      ids.slice(2),
      null,
    ]);
    expect(idsOf(await list({ label: ['list=yes', 'a:b'], status: 'cancelled' }))).toEqual([
      ids[0],
    ]);
    expect(idsOf(await list({ label: 'list:no' }))).toEqual([]);
    expect(idsOf(await list({ model: `sha256:${'0'.repeat(64)}` }))).toEqual([]);
    expect(idsOf(await list({ createdAfter: '2999-01-01' }))).toEqual([]);
    expect(
      idsOf(await list({ label: 'list:yes', createdBefore: '2999-01-01T00:00:00Z', model })).length,
    ).toBe(3);
  });
});

describe('with a worker', () => {
  let worker: RunningWorker;
  beforeAll(async () => {
    for (const job of (await site.http.get('/v1/jobs?status=queued&limit=200')).body.items)
      await site.http.post(`/v1/jobs/${job.id}/cancel`);
    const env = {
      REDIS_URL: site.redis.url,
      LATHE_REDIS_PREFIX: site.redis.prefix,
      LATHE_DATA_DIR: site.folder,
      LATHE_WORK_DIR: `${site.folder}-work`,
      LATHE_THREADS: '1',
    };
    worker = await startWorker(workerConfig(env), pino({ level: 'silent' }));
  });
  afterAll(() => worker.close());

  const client = () => new LatheClient({ url: site.url });

  test('the client submits files, follows to the end and downloads what was made', async () => {
    const job = await client().submit(
      { ...quantize, accept: { maxDrop: 1, maxBytes: 1_000_000 } },
      {
        model: { data: new Blob([modelFile(50)]), name: 'colours.onnx' },
        dataset: { data: new Blob([dataset]), name: 'colours.tar' },
      },
    );
    const types = new Set<string>();
    let last: Readonly<Record<string, unknown>> = {};
    for await (const { event, data } of client().events(job.id)) {
      types.add(event);
      last = data;
    }
    const done = await client().wait(job.id);
    const { items } = await client().artifacts(job.id);
    const names = items.map(({ name }) => name);

    expect(done.status, JSON.stringify(done.error)).toBe('succeeded');
    expect([last['type'], last['status'], last['job']]).toEqual(['state', 'succeeded', job.id]);
    expect([...types].sort()).toEqual(expect.arrayContaining(['progress', 'stage', 'state']));
    expect(done.outcome).toBe('pass');
    expect(done.checks?.map((c) => [c.limit, c.passed])).toEqual(
      expect.arrayContaining([
        ['maxDrop', true],
        ['maxBytes', true],
      ]),
    );
    expect(done.stages.map(({ status }) => status)).toEqual(['finished', 'finished']);
    expect(names).toEqual(
      expect.arrayContaining([
        'model.onnx',
        'report.json',
        'report.html',
        'metrics.jsonl',
        'stages/01-simplify.onnx',
        'stages/02-quantize.onnx',
      ]),
    );
    for (const { name, digest, bytes } of items) {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of await client().artifact(job.id, name)) {
        hash.update(chunk);
        size += chunk.length;
      }
      expect([name, `sha256:${hash.digest('hex')}`, size]).toEqual([name, digest, bytes]);
    }
    const report = await site.http.get(`/v1/jobs/${job.id}/artifacts/report.html`);
    expect(report.headers['content-type']).toContain('text/html');
    expect(report.headers['content-security-policy']).toContain("default-src 'none'");

    const stage = done.stages[0]!.output!;
    const next = await submit({ model: stage, ...simplify }, { wait: 30 });
    expect([next.status, next.body.status, next.body.model]).toEqual([200, 'succeeded', stage]);

    const lost = await site.http.get(`/v1/jobs/${job.id}/artifacts/nothing.txt`);
    expect([lost.status, lost.body.code]).toEqual([404, 'ARTIFACT_NOT_FOUND']);
  });

  test('events resume after Last-Event-ID, and begin with a snapshot where that was trimmed', async () => {
    const job = await submit({ model, ...simplify }, { wait: 30 });
    const path = `/v1/jobs/${job.body.id}/events`;
    const ids = (text: string) => [...text.matchAll(/^id: (.+)$/gm)].map((m) => m[1]!);

    const all = (await site.http.get(path)).text;
    const middle = ids(all)[2]!;
    const rest = (await site.http.get(path).set('last-event-id', middle)).text;
    const end = (await site.http.get(path).set('last-event-id', ids(all).at(-1)!)).text;
    const old = (await site.http.get(path).set('last-event-id', '1-0')).text;

    expect(ids(rest)).toEqual(ids(all).slice(3));
    expect(ids(end)).toEqual([]);
    expect(old).toMatch(/^retry: \d+\n\nevent: snapshot\ndata: \{"id":"job_/);
    expect(ids(old)).toEqual(ids(all));
  });

  test('what a deleted job has made is deleted with it', async () => {
    const made = await submit({ model: await upload(60), ...simplify }, { wait: 30 });
    expect(made.body.status, made.text).toBe('succeeded');
    const output = made.body.stages[0].output.slice(7) as string;
    const had = site.stored().includes(output);

    await sleep(2100); // files that were put a moment ago are left to the next sweep
    const deleted = await site.http.delete(`/v1/jobs/${made.body.id}`);

    expect([had, deleted.status]).toEqual([true, 204]);
    expect(site.stored()).not.toContain(output);
  });

  const upload = async (number: number): Promise<string> =>
    (await site.http.post('/v1/models').type(BYTES).send(modelFile(number))).body.id;
});

test.each([
  ['as text', {}],
  ['as JSON', { contentType: 'application/json' }],
  ['as a file', { contentType: 'application/json', filename: 'spec.json' }],
])('a spec that does not parse, sent %s, is told as such', async (_, how) => {
  const call = site.http.post('/v1/jobs').field('spec', Buffer.from('{bad') as never, how as never);

  const answer = await call.attach('model', modelFile(78), 'm.onnx');

  expect([answer.status, answer.body.code], answer.text).toEqual([400, 'JSON_MALFORMED']);
});
