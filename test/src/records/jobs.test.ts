import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newJobId } from '../../../src/contract/ids.ts';
import type { JobSpec } from '../../../src/contract/job.ts';
import { JobEvents } from '../../../src/records/events.ts';
import type { NewJob } from '../../../src/records/job-record.ts';
import { Fenced, Jobs } from '../../../src/records/jobs.ts';
import { connectRedis } from '../../../src/records/redis.ts';
import { type TestRedis, testRedis } from '../../helpers/redis.ts';

const MODEL = `sha256:${'a'.repeat(64)}`;
const TEACHER = `sha256:${'b'.repeat(64)}`;

let server: TestRedis;
let redis: Redis;
let subscriber: Redis;
let jobs: Jobs;

beforeAll(async () => {
  server = await testRedis();
  redis = connectRedis(server.url, 'steady');
  subscriber = connectRedis(server.url, 'subscriber');
  jobs = new Jobs(redis, server.prefix);
});
afterAll(async () => {
  redis.disconnect();
  subscriber.disconnect();
  await server.stop();
});

const spec: JobSpec = { model: MODEL, stages: [{ stage: 'simplify' }] };

const create = (tenant: string, more: Partial<NewJob> = {}) =>
  jobs.create({ id: newJobId(), tenant, spec, ...more });

test('a new job is queued, at version 1, and tells so', async () => {
  const job = await create('new');

  expect(job).toMatchObject({ status: 'queued', attempt: 1, version: 1, queueId: `${job.id}-1` });
  expect(await jobs.get('new', job.id)).toEqual(job);
  const events = await new JobEvents(redis, subscriber, jobs.keys).read(job.id);
  expect(events.map((e) => e.data)).toMatchObject([{ type: 'state', status: 'queued' }]);
});

test('the same id twice keeps the first job', async () => {
  const first = await create('twice');

  const second = await jobs.create({ id: first.id, tenant: 'twice', spec, name: 'other' });

  expect(second).toEqual(first);
});

test('a secret never lies in the record', async () => {
  const webhook = { url: 'https://example.com', secret: `whsec_${'A'.repeat(40)}` };

  const job = await jobs.create(
    { id: newJobId(), tenant: 'secret', spec: { ...spec, webhook } },
    'sealed',
  );

  expect(JSON.stringify(await jobs.find(job.id))).not.toContain('whsec_');
  expect(await jobs.secret(job.id)).toBe('sealed');
});

test('every change raises the version; one that changes nothing does not', async () => {
  const { id } = await create('version');

  const changed = await jobs.change(id, () => ({ set: { progress: 0.5 } }));
  const same = await jobs.change(id, () => undefined);

  expect(changed).toMatchObject({ version: 2, progress: 0.5 });
  expect(same).toEqual(changed);
});

test('changes at the same time are made one after the other: none is lost', async () => {
  const { id } = await create('race');

  await Promise.all(
    Array.from({ length: 20 }, () =>
      jobs.change(id, (job) => ({ set: { crashes: job.crashes + 1 } })),
    ),
  );

  expect(await jobs.find(id)).toMatchObject({ crashes: 20, version: 21 });
});

test('an attempt that has lost its job can write nothing', async () => {
  const { id } = await create('fence');
  await jobs.change(id, () => ({ set: { status: 'running', attempt: 2 } }));

  const stale = jobs.change(id, () => ({ set: { status: 'succeeded' } }), 1);

  await expect(stale).rejects.toBeInstanceOf(Fenced);
  expect(await jobs.find(id)).toMatchObject({ status: 'running', attempt: 2 });
});

test('an attempt that loses its job between reading and writing can write nothing', async () => {
  const { id } = await create('fence late');

  const stale = jobs.change(
    id,
    () => {
      void redis.hset(jobs.keys.job(id), 'attempt', 2); // arrives before the write that this leads to
      return { set: { status: 'succeeded' } };
    },
    1,
  );

  await expect(stale).rejects.toBeInstanceOf(Fenced);
  expect(await jobs.find(id)).toMatchObject({ status: 'queued', version: 1 });
});

test('jobs of other tenants are not there', async () => {
  const { id } = await create('mine');

  expect(await jobs.get('theirs', id)).toBeUndefined();
  expect((await jobs.list('theirs')).items).toEqual([]);
});

test('lists page through newest first, whatever comes in meanwhile', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push((await create('pages')).id);

  const first = await jobs.list('pages', { limit: 2 });
  await create('pages');
  const second = await jobs.list('pages', { limit: 2, cursor: first.nextCursor! });
  const third = await jobs.list('pages', { limit: 2, cursor: second.nextCursor! });

  const pages = [first, second, third].map((p) => p.items.map((j) => j.id));
  expect(pages).toEqual([ids.slice(3).reverse(), ids.slice(1, 3).reverse(), ids.slice(0, 1)]);
  expect(third.nextCursor).toBeNull();
});

test('a page that ends with the last job says so', async () => {
  for (let i = 0; i < 2; i++) await create('even');

  expect((await jobs.list('even', { limit: 2 })).nextCursor).toBeNull();
});

const FILTERS = {
  status: [{ status: 'running' }, ['b']],
  'one label': [{ labels: { team: 'vision' } }, ['b', 'a']],
  'two labels': [{ labels: { team: 'vision', run: '2' } }, ['b']],
  model: [{ model: TEACHER }, ['c']],
  'created after': [{ createdAfter: '2026-01-02T00:00:00.000Z' }, ['c', 'b']],
  'created before': [{ createdBefore: '2026-01-02T00:00:00.000Z' }, ['a']],
  'all at once': [{ status: 'queued', labels: { team: 'vision' } }, ['a']],
} as const;

test('lists filter', async () => {
  const on = (day: number) => `2026-01-0${day}T00:00:00.000Z`;
  const made = {
    a: { spec: { ...spec, labels: { team: 'vision' } }, createdAt: on(1) },
    b: { spec: { ...spec, labels: { team: 'vision', run: '2' } }, createdAt: on(2) },
    c: { spec: { ...spec, model: TEACHER }, createdAt: on(3) },
  };
  for (const [name, more] of Object.entries(made)) {
    const { id } = await create('filters', { name, ...more });
    if (name === 'b') await jobs.change(id, () => ({ set: { status: 'running' } }));
  }

  for (const [what, [filter, expected]] of Object.entries(FILTERS)) {
    const { items } = await jobs.list('filters', filter);
    expect([what, items.map((j) => j.name)]).toEqual([what, expected]);
  }
});

test('a model is needed by unfinished jobs only, as input or as teacher', async () => {
  const stages = [{ stage: 'distill', teacher: TEACHER }] as unknown as JobSpec['stages'];
  const { id } = await create('needs', { spec: { ...spec, stages } });

  const [asInput, asTeacher, other] = await Promise.all(
    [MODEL, TEACHER, `sha256:${'c'.repeat(64)}`].map((d) => jobs.needing('needs', d)),
  );
  await jobs.change(id, () => ({ set: { status: 'failed' } }));

  expect([asInput, asTeacher, other]).toEqual([[id], [id], []]);
  expect(await jobs.needing('needs', MODEL)).toEqual([]);
});

test('a removed job is nowhere', async () => {
  const job = await create('removed');

  expect(await jobs.remove(job)).toBe(true);

  expect(await jobs.find(job.id)).toBeUndefined();
  expect((await jobs.list('removed')).items).toEqual([]);
  expect(await jobs.idsIn('queued')).not.toContain(job.id);
});

test('those who watch a job hear of each change, others do not', async () => {
  const events = new JobEvents(redis, subscriber, jobs.keys);
  await events.start();
  const [a, b] = [await create('watch'), await create('watch')];
  const heard: string[] = [];
  // What was published before arrives before this.
  const quiet = await create('watch');
  const passed = new Promise<void>((resolve) => events.watch(quiet.id, resolve));
  await jobs.change(quiet.id, () => ({ set: { progress: 0.1 } }));
  await passed;
  const stop = events.watch(a.id, () => heard.push('a'));
  events.watch(b.id, () => heard.push('b'));

  await jobs.change(a.id, () => ({ set: { progress: 0.1 } }));
  await expect.poll(() => heard).toEqual(['a']);
  stop();
  await jobs.change(a.id, () => ({ set: { progress: 0.2 } }));
  await jobs.change(b.id, () => ({ set: { progress: 0.2 } }));

  await expect.poll(() => heard).toEqual(['a', 'b']);
});

test('events are read on from any id; an id before the first one that is left is trimmed', async () => {
  const events = new JobEvents(redis, subscriber, jobs.keys);
  const { id } = await create('read on');
  const log = (message: string) => ({ type: 'log', level: 'info', message }) as const;
  await jobs.change(id, () => ({ set: {}, events: [log('one'), log('two')] }));

  const all = await events.read(id);
  const rest = await events.read(id, all[1]!.id);

  expect(rest.map((e) => e.data)).toMatchObject([{ message: 'two' }]);
  expect(await events.trimmed(id, all[0]!.id)).toBe(false);
  expect(await events.trimmed(id, '1-1')).toBe(true);
  expect(await events.trimmed(id, 'nonsense')).toBe(true);
});
