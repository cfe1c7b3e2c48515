import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { newJobId } from '../../src/contract/ids.ts';
import type { JobSpec } from '../../src/contract/job.ts';
import { tinyBytes } from '../workers/job/tiny.ts';
import { type Api, kill, Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.killAll());
afterAll(() => site.close());

const SIMPLIFY: JobSpec = { stages: [{ stage: 'simplify' }] };

/** Upload the model to the API itself: its tenant is not that of the tests. */
async function upload({ url }: Api): Promise<string> {
  const answer = await fetch(`${url}/v1/models`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(tinyBytes()),
  });
  return ((await answer.json()) as { id: string }).id;
}

async function submit({ url }: Api, model: string): Promise<string> {
  const answer = await fetch(`${url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...SIMPLIFY, model }),
  });
  if (answer.status !== 202) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { id: string }).id;
}

test('kill -9 of the API while jobs come in: every one that was accepted is finished', async () => {
  const api = await site.api();
  const model = await upload(api);
  const accepted: string[] = [];
  const client = async () => {
    for (;;) accepted.push(await submit(api, model));
  };

  const clients = Promise.allSettled([client(), client()]);
  await expect.poll(() => accepted.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(2);
  await kill(api.process, 'SIGKILL');
  await clients;
  await site.api();
  site.worker({ LATHE_CONCURRENCY: '2' });
  const some = [...accepted.slice(0, 2), ...accepted.slice(-3)];
  const jobs = await Promise.all(some.map((id) => site.finished(id, 60)));

  expect(jobs.map((j) => j.status)).toEqual(some.map(() => 'succeeded'));
  for (const id of accepted) expect(await site.jobs.find(id)).toBeDefined();
});

test('killed between record and queue: the next API queues the job as it starts', async () => {
  const id = newJobId();
  await site.jobs.create({
    id,
    tenant: 'tests',
    spec: { ...SIMPLIFY, model: await site.model(tinyBytes()) },
  });
  site.worker();
  await sleep(500);
  expect((await site.jobs.find(id))!.status).toBe('queued');

  await site.api();

  expect(await site.finished(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
});

test('a client that asks again with its Idempotency-Key, whatever dies, gets one job per key', async () => {
  let api = await site.api();
  const model = await upload(api);
  const made = new Map<string, string>();
  let next = 0;
  let stop = false;
  const client = async () => {
    while (!stop) {
      const key = `key-${next++}`;
      while (!made.has(key)) {
        const headers = { 'content-type': 'application/json', 'idempotency-key': key };
        const body = JSON.stringify({ ...SIMPLIFY, model, cache: false, labels: { key } });
        const answer = await fetch(`${api.url}/v1/jobs`, { method: 'POST', headers, body }).catch(
          () => undefined,
        );
        if (answer?.status === 202) made.set(key, ((await answer.json()) as { id: string }).id);
        else await sleep(50);
      }
    }
  };

  const clients = [client(), client(), client()];
  for (let round = 0; round < 2; round++) {
    const before = made.size;
    await expect
      .poll(() => made.size, { timeout: 40_000, interval: 5 })
      .toBeGreaterThan(before + 8);
    await kill(api.process, 'SIGKILL');
    api = await site.api();
  }
  stop = true;
  await Promise.all(clients);

  const { items } = await site.jobs.list('local', { limit: 200 });
  const keys = items.map((job) => job.labels['key']).filter((key) => key !== undefined);
  expect(keys.toSorted()).toEqual([...made.keys()].toSorted());
});
