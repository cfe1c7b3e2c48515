/** @file Priorities, deadlines, pausing and draining, with real workers. */

import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import type { JobSpec } from '../../src/contract/job.ts';
import type { JobRecord } from '../../src/records/job-record.ts';
import { connectRedis } from '../../src/records/redis.ts';
import { Workers } from '../../src/records/workers.ts';
import { tinyBytes } from '../workers/job/tiny.ts';
import { alive, childrenOf, inSecondStage, Site, TENANT } from './site.ts';

let site: Site;
let model: string;
let workers: Workers;
let connection: ReturnType<typeof connectRedis>;

beforeAll(async () => {
  site = await Site.open();
  model = await site.model(tinyBytes());
  connection = connectRedis(site.redis.url, 'steady');
  workers = new Workers(connection, site.redis.prefix);
});
afterEach(() => site.killAll());
afterAll(async () => {
  connection.disconnect();
  await site.close();
});

const quick = (spec: Partial<JobSpec> = {}) =>
  site.submit({ model, stages: [{ stage: 'simplify' }], ...spec });

const inSeconds = (seconds: number) => new Date(Date.now() + 1000 * seconds).toISOString();
const isRunning = (job: JobRecord) => job.status === 'running';

async function onlyWorker(duty: string): Promise<string> {
  const seen = async () => (await workers.live()).filter((w) => w.duty === duty).at(-1)?.id;
  await expect.poll(seen, { timeout: 20_000 }).toBeDefined();
  return (await seen())!;
}

test('higher classes go first, and within a class the older', async () => {
  const jobs = {
    low: await quick({ priority: 'low' }),
    normal: await quick(),
    high: await quick({ priority: 'high' }),
    'second high': await quick({ priority: 'high' }),
  };
  const places = Object.entries(jobs).map(async ([name, job]) => [
    name,
    (await site.service.waiting(job)).position,
  ]);
  expect(Object.fromEntries(await Promise.all(places))).toEqual({
    high: 0,
    'second high': 1,
    normal: 2,
    low: 3,
  });

  site.worker();
  const ended = await Promise.all(
    Object.entries(jobs).map(async ([name, { id }]) => [name, await site.finished(id)] as const),
  );

  const inOrder = ended.toSorted(([, a], [, b]) => (a.startedAt! < b.startedAt! ? -1 : 1));
  expect(inOrder.map(([name]) => name)).toEqual(['high', 'second high', 'normal', 'low']);
});

test('a queued job expires at its time and is never run', async () => {
  const { id, queueId } = await quick({ expiresAt: inSeconds(0.5) });

  expect(await site.service.expire()).toEqual([]);
  await expect.poll(() => site.service.expire()).toEqual([id]);

  const job = await site.jobs.find(id);
  expect(job).toMatchObject({ status: 'expired', error: { code: 'JOB_EXPIRED', stage: null } });
  expect(await site.queue.state(queueId)).toBe('missing');
  expect(await site.service.expire()).toEqual([]);
  await expect(site.service.retry(TENANT, id)).rejects.toMatchObject({ code: 'JOB_EXPIRED' });
});

test('a worker that takes an overdue job does not run it', async () => {
  const { id } = await quick({ expiresAt: inSeconds(-1) });

  site.worker();
  const job = await site.finished(id);

  expect(job).toMatchObject({ status: 'expired', startedAt: null });
});

test('a running job expires within 5 s of its time, its process with it; finished stages stay', async () => {
  const worker = site.worker();
  await site.api(); // looks at deadlines every second
  const { id } = await site.longJob({ expiresAt: inSeconds(600) });
  await site.until(id, inSecondStage);
  const [child] = childrenOf(worker);
  const now = new Date().toISOString();
  await site.jobs.change(id, () => ({ set: { expiresAt: now } }));
  await connection.zadd(site.jobs.keys.deadlines, Date.now(), id);

  const started = performance.now();
  const job = await site.finished(id);

  expect((performance.now() - started) / 1000).toBeLessThan(5);
  expect(job).toMatchObject({
    status: 'expired',
    error: { code: 'JOB_EXPIRED', stage: 'quantize' },
  });
  expect(job.stages.map((s) => s.status)).toEqual(['finished', 'cancelled']);
  expect(job.artifacts.map((a) => a.name)).toEqual(['stages/01-simplify.onnx']);
  expect(alive(child!)).toBe(false);
});

test('a paused worker takes no job until it is resumed; the one at work goes on', async () => {
  site.worker();
  const { id: long } = await site.longJob();
  await site.until(long, isRunning);
  const id = await onlyWorker('working');

  await workers.want(id, 'paused');
  await onlyWorker('paused');
  const { id: waiting } = await quick();
  expect(await site.finished(long)).toMatchObject({ status: 'succeeded' });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await site.jobs.find(waiting)).toMatchObject({ status: 'queued' });

  await workers.want(id, 'working');
  expect(await site.finished(waiting)).toMatchObject({ status: 'succeeded' });
});

test('a draining worker ends its job, then itself, and leaves the others in the queue', async () => {
  const worker = site.worker();
  const { id: long } = await site.longJob();
  await site.until(long, isRunning);
  const id = await onlyWorker('working');
  const exit = once(worker, 'exit');

  await workers.want(id, 'draining');
  await onlyWorker('draining');
  const { id: waiting } = await quick();

  expect(await exit).toEqual([0, null]);
  expect(await site.jobs.find(long)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(await site.jobs.find(waiting)).toMatchObject({ status: 'queued' });
  expect((await workers.live()).map((w) => w.id)).not.toContain(id);
});

test('a retry goes on from the stage that failed', async () => {
  site.worker();
  const { id } = await site.longJob();
  await site.until(id, inSecondStage);
  await site.killAll();
  await site.jobs.change(id, (job) => ({
    set: {
      status: 'failed',
      stages: job.stages.map((s, i) => (i === 1 ? { ...s, status: 'failed' } : s)),
    },
  }));
  site.worker();

  await site.service.retry(TENANT, id);
  const job = await site.finished(id);

  expect(job).toMatchObject({ status: 'succeeded', attempt: 2 });
  expect(await site.timesFinished(id)).toEqual([1, 1]);
});
