/** @file Fair scheduling: who is admitted when, and that nobody is lost between line, queue and worker. */

import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { newJobId } from '../../../src/contract/ids.ts';
import type { JobSpec } from '../../../src/contract/job.ts';
import { queuePrefix } from '../../../src/queue/bullmq.ts';
import { FairQueue } from '../../../src/queue/fair-queue.ts';
import { poolOf } from '../../../src/queue/pools.ts';
import type { JobRecord } from '../../../src/records/job-record.ts';
import { Jobs } from '../../../src/records/jobs.ts';
import { connectRedis } from '../../../src/records/redis.ts';
import { tenantKeys } from '../../../src/records/tenant-keys.ts';
import { type WorkerRecord, Workers } from '../../../src/records/workers.ts';
import { type TestRedis, testRedis } from '../../helpers/redis.ts';
import { workerRecord } from '../../helpers/worker.ts';

let server: TestRedis;
let redis: Redis;
let jobs: Jobs;
let queue: FairQueue;
let workers: Workers;
let rounds = 0;
let prefix = '';

beforeAll(async () => {
  server = await testRedis();
  redis = connectRedis(server.url, 'steady');
});
beforeEach(() => {
  prefix = `${server.prefix}:${rounds++}`;
  jobs = new Jobs(redis, prefix);
  queue = new FairQueue(redis, prefix, () => {});
  workers = new Workers(redis, prefix);
});
afterEach(() => queue.close());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

let clock = Date.now();
const create = (tenant: string, spec: Partial<JobSpec> = {}) =>
  jobs.create({
    ...{ id: newJobId(), tenant, createdAt: new Date(clock++).toISOString() },
    spec: { stages: [{ stage: 'simplify' }], ...spec },
  });

async function submit(tenant: string, count: number, spec: Partial<JobSpec> = {}) {
  const made: JobRecord[] = [];
  for (let i = 0; i < count; i++) made.push(await create(tenant, spec));
  for (const job of made) await queue.add(job);
  return made;
}

/** Ids in the queue of a worker's pool, in the order in which it would take them. */
async function admitted(worker: WorkerRecord): Promise<string[]> {
  await queue.dispatch();
  const bull = new Queue(poolOf(worker), { connection: redis, prefix: queuePrefix(prefix) });
  const found = await bull.getPrioritized();
  await bull.close();
  return found.map((job) => String(job.data.job));
}

/** Take what was admitted, one at a time, and end it. @returns whose they were */
async function workOff(worker: WorkerRecord, count: number): Promise<string[]> {
  const order: string[] = [];
  for (let i = 0; i < count; i++) {
    const [id] = await admitted(worker);
    const job = (await jobs.find(id!))!;
    order.push(job.tenant);
    await queue.remove(job.queueId);
    await jobs.change(job.id, () => ({ set: { status: 'succeeded' } }));
    await queue.release(job.queueId);
  }
  return order;
}

const set = (tenant: string, settings: object) =>
  redis.hset(tenantKeys(prefix).settings, tenant, JSON.stringify(settings));

test('at most slots + 2 jobs are admitted; without a worker none', async () => {
  const worker = workerRecord({ concurrency: 3 });
  const made = await submit('a', 9);
  expect(await admitted(worker)).toEqual([]);

  await workers.beat(worker);

  expect(await admitted(worker)).toEqual(made.slice(0, 5).map(({ id }) => id));
  const positions = await Promise.all(made.map((job) => queue.position(job)));
  expect(positions).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test('tenants take turns however many jobs one of them has', async () => {
  const worker = workerRecord();
  await submit('many', 20);
  await submit('few', 3);
  await workers.beat(worker);

  const order = await workOff(worker, 8);

  expect(order.filter((tenant) => tenant === 'few')).toHaveLength(3);
  expect(order.slice(0, 6).filter((tenant) => tenant === 'many')).toHaveLength(3);
});

test('turns follow the weights', async () => {
  await set('heavy', { weight: 3 });
  const worker = workerRecord();
  await submit('heavy', 20);
  await submit('light', 20);
  await workers.beat(worker);

  const order = await workOff(worker, 16);

  expect(order.filter((tenant) => tenant === 'heavy')).toHaveLength(12);
});

test('one who comes late does not make up for the time before', async () => {
  const worker = workerRecord();
  await submit('early', 30);
  await workers.beat(worker);
  await workOff(worker, 15);
  await submit('late', 15);

  const order = await workOff(worker, 10);

  expect(order.filter((tenant) => tenant === 'early').length).toBeGreaterThanOrEqual(4);
});

test('a tenant never has more at work than it may, and the others go on', async () => {
  await set('*', { jobsRunning: 2 });
  await set('b', { jobsRunning: 0 });
  const worker = workerRecord({ concurrency: 8 });
  const a = await submit('a', 5);
  const b = await submit('b', 4);
  await workers.beat(worker);

  expect(new Set(await admitted(worker))).toEqual(
    new Set([...a.slice(0, 2), ...b].map(({ id }) => id)),
  );
});

test('a job of a higher class goes before those of its tenant that wait, admitted ones too', async () => {
  const worker = workerRecord();
  await workers.beat(worker);
  await submit('a', 5);
  await queue.dispatch();

  const [high] = await submit('a', 1, { priority: 'high' });

  await expect.poll(async () => (await admitted(worker))[0]).toBe(high!.id);
  expect(await admitted(worker)).toHaveLength(3);
  expect(await queue.position(high!)).toBe(0);
});

test('a job goes only to workers that have what it asks for; the others are not held up', async () => {
  const plain = workerRecord();
  const gpu = workerRecord({ id: 'gpu-1', gpu: true, provider: 'cuda', labels: { site: 'b' } });
  await workers.beat(plain);
  const wants = await submit('a', 4, { requires: { gpu: true, labels: { site: 'b' } } });
  const any = await submit('a', 4);

  expect(await admitted(plain)).toEqual(any.slice(0, 3).map(({ id }) => id));
  await workers.beat(gpu);

  expect(await admitted(gpu)).toEqual(wants.slice(0, 3).map(({ id }) => id));
  expect(await admitted(plain)).toEqual(any.slice(0, 3).map(({ id }) => id));
});

test('a dispatcher that dies between admitting and queueing loses nothing', async () => {
  const worker = workerRecord();
  await workers.beat(worker);
  const [job] = await submit('a', 1);
  await admitted(worker);
  const bull = new Queue(poolOf(worker), { connection: redis, prefix: queuePrefix(prefix) });
  await bull.remove(job!.queueId);
  await bull.close();
  expect(await admitted(worker)).toEqual([]);

  await queue.tend(jobs);

  expect(await admitted(worker)).toEqual([job!.id]);
});

test('jobs that were admitted to workers that have left are given to others', async () => {
  const gone = workerRecord({ id: 'gone', labels: { kind: 'old' } });
  await workers.beat(gone);
  const made = await submit('a', 3);
  expect(await admitted(gone)).toHaveLength(3);

  await workers.leave('gone');
  const other = workerRecord();
  await workers.beat(other);
  await queue.tend(jobs);

  expect(new Set(await admitted(other))).toEqual(new Set(made.map(({ id }) => id)));
  expect(await admitted(gone)).toEqual([]);
});

test('places of jobs that have ended or moved on are free again', async () => {
  const worker = workerRecord();
  await workers.beat(worker);
  const made = await submit('a', 6);
  await queue.dispatch();
  for (const { id } of made.slice(0, 3))
    await jobs.change(id, () => ({ set: { status: 'cancelled' } }));

  await queue.tend(jobs);

  expect(await admitted(worker)).toEqual(made.slice(3).map(({ id }) => id));
});

test('every key lies in one slot of a cluster', async () => {
  await workers.beat(workerRecord());
  await submit('a', 2);
  await queue.dispatch();
  const keys = await redis.keys('*');

  expect(keys.length).toBeGreaterThan(10);
  expect(keys.filter((key) => !key.startsWith(server.prefix))).toEqual([]);
  expect(server.prefix).toMatch(/^\{[^}]+\}$/);
});
