/** @file The main road, both processes real: files in, job id out, a smaller model and a report back. */

import { openAsBlob } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { Webhook } from 'standardwebhooks';
import request from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Report } from '../../src/contract/report.ts';
import { type Api, Site } from '../chaos/site.ts';
import { digestOf } from '../helpers/digest.ts';
import { type Receiver, receiver } from '../helpers/receiver.ts';
import { tinyBytes } from '../workers/job/tiny.ts';

let site: Site;
let api: Api;
let hooks: Receiver;

beforeAll(async () => {
  site = await Site.open();
  hooks = await receiver();
  site.worker();
  api = await site.api({ LATHE_ALLOW_PRIVATE_TARGETS: '1' });
});
afterAll(async () => {
  await hooks.close();
  await site.close();
});

async function post(spec: object): Promise<{ status: number; id: string }> {
  const form = new FormData();
  form.set('spec', JSON.stringify(spec));
  form.set('model', new Blob([new Uint8Array(tinyBytes())]), 'colours.onnx');
  form.set('dataset', await openAsBlob(await site.coloursTar()), 'colours.tar');
  const answer = await fetch(`${api.url}/v1/jobs`, { method: 'POST', body: form });
  const { id } = (await answer.json()) as { id: string };
  return { status: answer.status, id };
}

const waited = async (id: string) =>
  (await request(api.url).get(`/v1/jobs/${id}?wait=60`).expect(200)).body;

async function artifact(id: string, name: string): Promise<Buffer> {
  const answer = await request(api.url)
    .get(`/v1/jobs/${id}/artifacts/${name}`)
    .buffer()
    .parse((response, done) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => done(null, Buffer.concat(chunks)));
    })
    .expect(200);
  return answer.body as Buffer;
}

test('files and spec in one call; the artifacts are what the report says; the webhook tells it', async () => {
  const { status, id } = await post({
    stages: [{ stage: 'simplify' }, { stage: 'quantize' }],
    accept: { maxDrop: 0.2 },
    labels: { team: 'vision' },
    webhook: { url: hooks.url },
  });

  const job = await waited(id);

  expect(status).toBe(202);
  expect(job).toMatchObject({
    status: 'succeeded',
    outcome: 'pass',
    task: 'classify',
    labels: { team: 'vision' },
    checks: [{ limit: 'maxDrop', passed: true }],
    stages: [
      { stage: 'simplify', status: 'finished' },
      { stage: 'quantize', status: 'finished', metrics: { top1: 1 } },
    ],
  });
  const report = JSON.parse((await artifact(id, 'report.json')).toString()) as Report;
  const model = await artifact(id, 'model.onnx');
  expect(report).toMatchObject({ job: id, input: digestOf(tinyBytes()), output: digestOf(model) });
  expect(report.stages.map((s) => s.output)).toEqual(
    job.stages.map((s: { output: string }) => s.output),
  );
  expect(await artifact(id, 'stages/02-quantize.onnx')).toEqual(model);
  expect((await artifact(id, 'report.html')).toString()).toMatch(/^<!doctype html>/i);
  expect((await artifact(id, 'metrics.jsonl')).toString().trim().split('\n').length).toBe(3);

  await expect.poll(() => hooks.received.length, { timeout: 10_000 }).toBe(1);
  const { secret } = (await request(api.url).get('/v1/webhooks/secret').expect(200)).body;
  const [{ body, headers }] = hooks.received as [Receiver['received'][number]];
  expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toMatchObject({
    type: 'job.succeeded',
    data: { id, outcome: 'pass' },
  });
});

test('a result that misses a limit: rejected, artifacts kept, the check named', async () => {
  const { id } = await post({ stages: [{ stage: 'simplify' }], accept: { maxBytes: 1 } });

  const job = await waited(id);

  expect(job).toMatchObject({
    status: 'succeeded',
    outcome: 'rejected',
    checks: [{ limit: 'maxBytes', allowed: 1, passed: false }],
  });
  expect((await artifact(id, 'model.onnx')).length).toBe(job.checks[0].measured);
});

test('events stream from queued to succeeded, resumable, and end', async () => {
  const { id } = await post({ stages: [{ stage: 'simplify' }] });

  const text = await (await fetch(`${api.url}/v1/jobs/${id}/events`)).text();

  const types = [...text.matchAll(/^event: (.*)$/gm)].map((m) => m[1]);
  const ids = [...text.matchAll(/^id: (.*)$/gm)].map((m) => m[1]!);
  expect(types[0]).toBe('state');
  expect(types.at(-1)).toBe('state');
  expect(new Set(types)).toEqual(new Set(['state', 'stage', 'progress', 'metric', 'log']));
  const rest = await fetch(`${api.url}/v1/jobs/${id}/events`, {
    headers: { 'last-event-id': ids.at(-2)! },
  });
  expect([...(await rest.text()).matchAll(/^id: (.*)$/gm)].map((m) => m[1])).toEqual([ids.at(-1)]);
});

test('SIGTERM of the API: who waits is answered, and it ends', async () => {
  const other = await site.api();
  const { id } = await post({ stages: [{ stage: 'simplify' }] });
  await waited(id);
  const job = await fetch(`${other.url}/v1/jobs/${id}`);
  const waiting = fetch(`${other.url}/v1/jobs/${id}?wait=50`, {
    headers: { 'if-none-match': job.headers.get('etag')! },
  });
  await sleep(300);

  other.process.kill('SIGTERM');

  expect((await waiting).status).toBe(304);
  await expect.poll(() => other.process.exitCode, { timeout: 15_000 }).toBe(0);
});
