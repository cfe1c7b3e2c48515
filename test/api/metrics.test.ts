/** @file Figures for Prometheus: queue, waiting, stages, failures, workers, webhooks; each counted once however many processes there are. */

import { afterAll, beforeAll, expect, test } from 'vitest';

import { newJobId } from '../../src/contract/ids.ts';
import { connectRedis } from '../../src/records/redis.ts';
import { Workers } from '../../src/records/workers.ts';
import { receiver } from '../helpers/receiver.ts';
import { workerRecord } from '../helpers/worker.ts';
import { openSite, type Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await openSite();
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

async function figures(): Promise<Map<string, number>> {
  const { text } = await site.http.get('/metrics').expect(200);
  const lines = text.split('\n').filter((line) => line.startsWith('lathe_'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

const create = (createdAt = new Date().toISOString()) =>
  site.services.collaborators.service.jobs.create({
    ...{ id: newJobId(Date.parse(createdAt)), tenant: 'local', createdAt },
    spec: { stages: [{ stage: 'simplify' }] },
  });

test('jobs that wait, by status, and for how long', async () => {
  await create(new Date(Date.now() - 100_000).toISOString());

  const found = await figures();

  expect(found.get('lathe_queue_jobs')).toBe(1);
  expect(found.get('lathe_jobs{status="queued"}')).toBe(1);
  expect(found.get('lathe_queue_oldest_seconds')).toBeGreaterThanOrEqual(100);
});

test('waiting, stages, ends and failures by code are counted with the change that they tell of', async () => {
  const { jobs } = site.services.collaborators.service;
  const { id } = await create(new Date(Date.now() - 20_000).toISOString());
  const startedAt = new Date().toISOString();
  await jobs.change(id, () => ({ set: { status: 'running', startedAt } }));
  const stage = { type: 'stage', index: 0, stage: 'simplify', status: 'finished' } as const;
  const event = { ...stage, resumed: false, input: '', output: '', report: { seconds: 7 } };
  await jobs.change(id, () => ({ set: {}, events: [event, { ...event, resumed: true }] }));
  const error = { code: 'DISK_FULL', detail: '', stage: null, retryable: true };
  await jobs.change(id, () => ({ set: { status: 'failed', error } }));

  const found = await figures();

  expect(found.get('lathe_job_wait_seconds_count')).toBe(1);
  expect(found.get('lathe_job_wait_seconds_bucket{le="5"}')).toBe(0);
  expect(found.get('lathe_job_wait_seconds_bucket{le="30"}')).toBe(1);
  expect(found.get('lathe_stage_seconds_sum{stage="simplify"}')).toBe(7);
  expect(found.get('lathe_stage_seconds_count{stage="simplify"}')).toBe(1);
  expect(found.get('lathe_stage_seconds_bucket{stage="simplify",le="+Inf"}')).toBe(1);
  expect(found.get('lathe_jobs_ended_total{status="failed"}')).toBe(1);
  expect(found.get('lathe_job_failures_total{code="DISK_FULL"}')).toBe(1);
});

test('workers, and outcomes of webhooks', async () => {
  const redis = connectRedis(site.redis.url, 'steady');
  const workers = new Workers(redis, site.redis.prefix);
  await workers.beat(workerRecord({ id: 'a', concurrency: 3 }));
  await workers.beat(workerRecord({ id: 'b', duty: 'paused' }));
  const hooks = await receiver();
  const { webhook } = (await site.http.post('/v1/webhooks').send({ url: hooks.url })).body;
  await site.http.post(`/v1/webhooks/${webhook.id}/test`).expect(202);

  const delivered = async () =>
    (await figures()).get('lathe_webhook_tries_total{outcome="delivered"}');
  await expect.poll(delivered, { timeout: 10_000 }).toBe(1);
  const found = await figures();

  expect(found.get('lathe_workers{duty="working"}')).toBe(1);
  expect(found.get('lathe_workers{duty="paused"}')).toBe(1);
  expect(found.get('lathe_worker_slots')).toBe(3);
  expect([...found.keys()].join()).not.toMatch(/job_[0-9a-f]{8}|"local"|wh_[0-9a-f]/);
  redis.disconnect();
  await hooks.close();
});
