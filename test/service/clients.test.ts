/** @file What the service promises its clients, one test per promise; API, worker, Redis and receivers are processes and servers of their own. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { modelFile } from '../api/site.ts';
import { Site } from '../chaos/site.ts';
import { digestOf } from '../helpers/digest.ts';
import { type Receiver, receiver } from '../helpers/receiver.ts';
import { type Call, caller, ended, SIMPLIFY, uploaded } from './caller.ts';

const MINUTES = 60_000;

let site: Site;
let hooks: Receiver;
let files: Server;
let ada: Call;
let bob: Call;

beforeAll(async () => {
  site = await Site.open();
  hooks = await receiver();
  files = createServer((_, answer) => void answer.end(modelFile(3)));
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  site.worker({ LATHE_CONCURRENCY: '2' });
  const api = await site.api({
    LATHE_API_KEYS: 'ada:key-of-ada-1,bob:key-of-bob-1',
    LATHE_OPERATORS: 'bob',
    LATHE_ALLOW_PRIVATE_TARGETS: '1',
  });
  ada = caller(api, 'key-of-ada-1');
  bob = caller(api, 'key-of-bob-1');
});
afterAll(async () => {
  files.close();
  await hooks.close();
  await site.close();
});

test('webhooks: an endpoint hears what it asked for, signed; each try is logged and can be sent again', {
  timeout: 2 * MINUTES,
}, async () => {
  hooks.answers.push(500);
  const endpoint = { url: hooks.url, events: ['job.started', 'job.succeeded'] };
  const { secret, webhook } = (await ada('POST', '/v1/webhooks', endpoint)).body;
  const model = await uploaded(ada, 1);
  const { id } = (await ada('POST', '/v1/jobs', { model, ...SIMPLIFY })).body;
  await ended(ada, id);
  await expect.poll(() => hooks.received.length, { timeout: 30_000 }).toBe(3); // one of them twice

  const log = (await ada('GET', `/v1/webhooks/${webhook.id}/deliveries`)).body.items;
  const again = await ada('POST', `/v1/webhooks/${webhook.id}/deliveries/${log[0].id}/redeliver`);
  const tried = await ada('POST', `/v1/webhooks/${webhook.id}/test`);
  await expect.poll(() => hooks.received.length, { timeout: 30_000 }).toBe(5);

  const told = hooks.received.map(({ body, headers }) =>
    new Webhook(secret).verify(body, headers as Record<string, string>),
  ) as { type: string; data: { id: string } }[];
  expect(new Set(told.map(({ type }) => type))).toEqual(
    new Set(['job.started', 'job.succeeded', 'webhook.test']),
  );
  expect([again.status, tried.status, log.length]).toEqual([202, 202, 2]);
  expect(new Set(hooks.received.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
  await ada('DELETE', `/v1/webhooks/${webhook.id}`);
});

test('submission: one job per key, an upload that resumes, an import by digest, the same bytes once', async () => {
  const bytes = modelFile(2);
  const tus = { 'tus-resumable': '1.0.0' };
  const metadata = `kind ${Buffer.from('model').toString('base64')}`;
  const length = { 'upload-length': String(bytes.length), 'upload-metadata': metadata };
  const { headers } = await ada('POST', '/v1/uploads', undefined, { ...tus, ...length });
  const path = headers.get('location')!;
  const part = (from: number, to: number) =>
    ada('PATCH', path, bytes.subarray(from, to), {
      ...tus,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(from),
    });
  expect((await part(0, 100)).status).toBe(204);
  expect((await part(50, bytes.length)).body.code).toBe('UPLOAD_OFFSET_CONFLICT');
  expect((await part(100, bytes.length)).status).toBe(204);
  const again = await ada('POST', '/v1/models', bytes);
  const url = `http://127.0.0.1:${(files.address() as AddressInfo).port}/model.onnx`;
  const asked = { kind: 'model', url, sha256: digestOf(modelFile(3)) };
  const begun = await ada('POST', '/v1/imports', asked);
  const imported = await ada('GET', `${begun.headers.get('location')}?wait=30`);
  const spec = { model: again.body.id, ...SIMPLIFY, cache: false };
  const submit = () => ada('POST', '/v1/jobs', spec, { 'idempotency-key': '"one"' });
  const jobs = await Promise.all([submit(), submit(), submit()]);

  expect([again.status, again.body.id]).toEqual([200, digestOf(bytes)]);
  expect(imported.body).toMatchObject({ status: 'succeeded', result: { id: asked.sha256 } });
  const accepted = jobs.filter(({ status }) => status === 202).map(({ body }) => body.id);
  expect(new Set(accepted).size).toBe(1);
  expect(jobs.map(({ status }) => status).filter((s) => s !== 202 && s !== 409)).toEqual([]);
});

test('tenants: keys with scopes, quotas, nothing of others, an audit log', async () => {
  const model = await uploaded(ada, 4);
  const made = await ada('POST', '/v1/keys', { name: 'reader', scopes: ['read'] });
  const { key, about } = made.body;
  const reader: Call = (method, path, body) =>
    ada(method, path, body, { authorization: `Bearer ${key}` });
  const seen = await reader('GET', `/v1/models/${model}`);
  const refused = await reader('POST', '/v1/jobs', { model, ...SIMPLIFY });
  const rotated = (await ada('POST', `/v1/keys/${about.id}/rotate`, { overlapHours: 0 })).body;
  const stale = await reader('GET', '/v1/models');
  await bob('PATCH', '/v1/tenants/ada', { jobsQueued: 1 });
  const many = await Promise.all(
    [1, 2, 3, 4].map((seed) =>
      ada('POST', '/v1/jobs', { model, ...SIMPLIFY, seed, requires: { labels: { no: 'where' } } }),
    ),
  );
  await bob('PATCH', '/v1/tenants/ada', { jobsQueued: null });
  const audit = (await ada('GET', '/v1/audit')).body.items;

  expect([seen.status, refused.body.code, stale.status]).toEqual([200, 'SCOPE_MISSING', 401]);
  expect(rotated.key).not.toBe(key);
  expect((await bob('GET', `/v1/models/${model}`)).body.code).toBe('MODEL_NOT_FOUND');
  expect(many.map(({ status }) => status).sort()).toEqual([202, 429, 429, 429]);
  expect(many.find(({ status }) => status === 429)!.body.code).toBe('QUOTA_EXCEEDED');
  expect(audit.map(({ action }: { action: string }) => action)).toEqual(
    expect.arrayContaining(['createKey', 'rotateKey', 'submitJob']),
  );
  expect(JSON.stringify(audit)).not.toContain(key);
});

test('sweeps: a grid over one model, first stages once, the front and the best named, one chart', {
  timeout: 3 * MINUTES,
}, async () => {
  const sweep = {
    model: await uploaded(ada, 5),
    stages: [{ stage: 'simplify' }, { stage: 'simplify' }],
    grid: { '/stages/1/dequantize': [false, true] },
    cache: false,
    accept: { maxBytes: 1e6 },
  };
  const { id, jobs } = (await ada('POST', '/v1/sweeps', sweep)).body;
  for (const job of jobs) await ended(ada, job.id);
  const done = (await ada('GET', `/v1/sweeps/${id}?wait=30`)).body;
  const chart = await ada('GET', `/v1/sweeps/${id}/chart.svg`);
  const reports = await Promise.all(
    jobs.map((job: { id: string }) => ada('GET', `/v1/jobs/${job.id}/artifacts/report.json`)),
  );

  expect(done).toMatchObject({ status: 'succeeded', progress: 1, counts: { succeeded: 2 } });
  expect(jobs.map((job: { id: string }) => job.id)).toContain(done.best);
  expect(done.front).toContain(done.best);
  expect(chart.headers.get('content-type')).toContain('image/svg+xml');
  expect(reports.map(({ body }) => body.stages[0].resumed)).toEqual([false, true]);
  expect((await bob('GET', `/v1/sweeps/${id}`)).body.code).toBe('SWEEP_NOT_FOUND');
});
