/** @file Workers: labels, routing by `requires`, heartbeats, `GET /v1/workers`, and a job that no worker can run. */

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { tinyBytes } from '../workers/job/tiny.ts';
import { type Api, Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.killAll());
afterAll(() => site.close());

interface Answer {
  readonly waitReason: string | null;
  readonly items: readonly { readonly labels: object; readonly seenAt: string }[];
}

const get = async ({ url }: Api, path: string) =>
  (await (await fetch(`${url}/v1/${path}`)).json()) as Answer;

async function submit({ url }: Api, requires: object): Promise<string> {
  const body = new Uint8Array(tinyBytes());
  const headers = { 'content-type': 'application/octet-stream' };
  const uploaded = await fetch(`${url}/v1/models`, { method: 'POST', headers, body });
  const { id: model } = (await uploaded.json()) as { id: string };
  const answer = await fetch(`${url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, stages: [{ stage: 'simplify' }], requires, cache: false }),
  });
  return ((await answer.json()) as { id: string }).id;
}

test('a job runs on a worker that offers what it requires; before, it says what is missing', {
  timeout: 240_000,
}, async () => {
  const api = await site.api();
  const id = await submit(api, { labels: { site: 'berlin' }, memory: 1e9 });
  const other = await submit(api, {});
  expect(await get(api, `jobs/${id}`)).toMatchObject({
    status: 'queued',
    waitReason: 'No worker is alive.',
    requires: { labels: { site: 'berlin' }, memory: 1e9 },
  });

  site.worker({ LATHE_LABELS: 'site=paris', LATHE_JOB_MEMORY: '2g' });
  expect((await site.finished(other, 100)).status).toBe('succeeded');
  const waiting = await get(api, `jobs/${id}`);
  expect(waiting).toMatchObject({ status: 'queued', queuePosition: 0 });
  expect(waiting.waitReason).toMatch(/1 is alive.*lacks the label site=berlin\.$/);

  site.worker({ LATHE_LABELS: 'site=berlin,disk=fast', LATHE_JOB_MEMORY: '2g' });
  const job = await site.finished(id, 100);
  const { items } = await get(api, 'workers');

  expect(job.status).toBe('succeeded');
  expect(items).toHaveLength(2);
  expect(items[1]).toMatchObject({ gpu: false, provider: 'cpu', memory: 2 ** 31 });
  expect(items.map(({ labels }) => labels)).toContainEqual({
    site: 'berlin',
    disk: 'fast',
  });
  const late = Date.now() - Date.parse(items[0]!.seenAt);
  expect(late).toBeLessThan(30_000);
});
