import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newJobId } from '../../../src/contract/ids.ts';
import { queuePrefix } from '../../../src/queue/bullmq.ts';
import { FairQueue } from '../../../src/queue/fair-queue.ts';
import { JobService } from '../../../src/queue/job-service.ts';
import { poolOf } from '../../../src/queue/pools.ts';
import { reconcile } from '../../../src/queue/reconcile.ts';
import { Jobs } from '../../../src/records/jobs.ts';
import { connectRedis } from '../../../src/records/redis.ts';
import { Workers } from '../../../src/records/workers.ts';
import { type TestRedis, testRedis } from '../../helpers/redis.ts';
import { workerRecord } from '../../helpers/worker.ts';

let server: TestRedis;
let redis: Redis;
let jobs: Jobs;
let queue: FairQueue;
const WORKER = workerRecord({ concurrency: 100 });

beforeAll(async () => {
  server = await testRedis();
  redis = connectRedis(server.url, 'steady');
  jobs = new Jobs(redis, server.prefix);
  queue = new FairQueue(redis, server.prefix, () => {});
  await new Workers(redis, server.prefix).beat(WORKER);
});
afterAll(async () => {
  await queue.close();
  redis.disconnect();
  await server.stop();
});

const newJob = () => ({ id: newJobId(), tenant: 't', spec: { stages: [{ stage: 'simplify' }] } });

/** Take one queue job and end it so. */
async function workOff(how: 'fail' | 'complete'): Promise<void> {
  await queue.dispatch();
  const worker = new Worker(poolOf(WORKER), null, {
    connection: redis,
    prefix: queuePrefix(server.prefix),
  });
  const job = (await worker.getNextJob('token'))!;
  if (how === 'fail') await job.moveToFailed(new Error('gone'), 'token', false);
  else await job.moveToCompleted(undefined, 'token', false);
  await worker.close();
}

test('a record without a queue job (the API died between its two writes) is queued', async () => {
  const job = await jobs.create(newJob());

  const first = await reconcile(jobs, queue);
  const second = await reconcile(jobs, queue);

  expect(first.requeued).toEqual([job.id]);
  expect(second.requeued).toEqual([]);
  expect(await queue.state(job.queueId)).toBe('waiting');
  await workOff('complete');
  await jobs.change(job.id, () => ({ set: { status: 'succeeded' } }));
  await queue.release(job.queueId);
});

test('a queued job that waits is left alone', async () => {
  const job = await new JobService(jobs, queue).submit(newJob());

  expect(await reconcile(jobs, queue)).toEqual({ requeued: [], settled: [] });
  expect(await queue.position(job)).toBe(0);
  await queue.remove(job.queueId);
  await jobs.remove(job);
});

test('a queued record whose queue job has ended gets a new one', async () => {
  const job = await new JobService(jobs, queue).submit(newJob());
  await workOff('complete');

  await reconcile(jobs, queue);

  const now = await jobs.find(job.id);
  expect(now).toMatchObject({ status: 'queued', attempt: 2, queueId: `${job.id}-2` });
  expect(await queue.state(now!.queueId)).toBe('waiting');
  await queue.remove(now!.queueId);
  await jobs.remove(now!);
});

test.each([
  ['running', 'failed', 'WORKER_LOST'],
  ['cancelling', 'cancelled', undefined],
] as const)('a %s record whose queue job has failed is settled as %s', async (was, is, code) => {
  const job = await new JobService(jobs, queue).submit(newJob());
  await jobs.change(job.id, () => ({ set: { status: was } }));
  await workOff('fail');

  const { settled } = await reconcile(jobs, queue);

  expect(settled).toEqual([job.id]);
  const now = (await jobs.find(job.id))!;
  expect([now.status, now.error?.code]).toEqual([is, code]);
});

test('a running record whose queue job is gone starts another attempt', async () => {
  const job = await jobs.create(newJob());
  await jobs.change(job.id, () => ({ set: { status: 'running' } }));

  await reconcile(jobs, queue);

  expect(await jobs.find(job.id)).toMatchObject({ status: 'queued', attempt: 2 });
  expect(await queue.state(`${job.id}-2`)).toBe('waiting');
});

test('the place in the queue counts those before', async () => {
  await queue.tend(jobs); // places of jobs that have ended above
  const service = new JobService(jobs, queue);
  const before = await jobs.count('queued', 't');
  const [a, b] = [await service.submit(newJob()), await service.submit(newJob())];

  expect(
    await Promise.all([a, b].map(async (job) => (await service.waiting(job)).position)),
  ).toEqual([before, before + 1]);
});
