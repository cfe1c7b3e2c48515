/** @file What the service promises about its workers, one test per promise; every process is real. */

import { afterAll, beforeAll, expect, test } from 'vitest';

import { endlessBytes } from '../chaos/hostile.ts';
import { childrenOf, Site } from '../chaos/site.ts';
import { type Call, caller, ended, SIMPLIFY, uploaded } from './caller.ts';

const MINUTES = 60_000;

let site: Site;
let call: Call;

beforeAll(async () => {
  site = await Site.open();
  call = caller(await site.api());
});
afterAll(() => site.close());

const submit = async (spec: object) => (await call('POST', '/v1/jobs', spec)).body;

test('job control: cancelled at once while it waits, priorities, deadlines, a known result, retry, purge', {
  timeout: 3 * MINUTES,
}, async () => {
  const model = await uploaded(call, 1);
  const spec = (more: object) => ({ model, ...SIMPLIFY, cache: false, ...more });
  const [low, high] = [
    await submit(spec({ priority: 'low', seed: 2 })),
    await submit(spec({ priority: 'high', cache: true })),
  ];
  const expired = await submit(spec({ expiresAt: new Date(Date.now() + 500).toISOString() }));
  const cancelled = await submit(spec({ seed: 3 }));
  await call('POST', `/v1/jobs/${cancelled.id}/cancel`);
  const gone = (await call('GET', `/v1/jobs/${cancelled.id}`)).body.status;
  expect((await ended(call, expired.id)).status).toBe('expired');
  expect(gone).toBe('cancelled');

  site.worker();
  const [first, second] = [await ended(call, high.id), await ended(call, low.id)];
  const known = await submit({ model, ...SIMPLIFY });
  const retried = await call('POST', `/v1/jobs/${cancelled.id}/retry`);
  const again = await ended(call, cancelled.id);
  const purged = await call('DELETE', `/v1/jobs/${low.id}`);

  expect(Date.parse(first.startedAt)).toBeLessThan(Date.parse(second.startedAt));
  expect([known.status, known.cachedFrom]).toEqual(['succeeded', high.id]);
  expect([retried.status, again.status, again.attempt]).toEqual([202, 'succeeded', 2]);
  expect([purged.status, (await call('GET', `/v1/jobs/${low.id}`)).status]).toEqual([204, 404]);
  await site.killAll();
  call = caller(await site.api());
});

test('workers: labels and requirements, heartbeats; a paused one takes nothing, a draining one ends', {
  timeout: 3 * MINUTES,
}, async () => {
  const model = await uploaded(call, 2);
  const requires = { labels: { site: 'berlin' } };
  const job = await submit({ model, ...SIMPLIFY, requires });
  site.worker({ LATHE_LABELS: 'site=paris' });
  const reason = async () => (await call('GET', `/v1/jobs/${job.id}`)).body.waitReason;
  await expect.poll(reason, { timeout: 20_000 }).toMatch(/lacks the label site=berlin/);
  const berlin = site.worker({ LATHE_LABELS: 'site=berlin' });
  const done = await ended(call, job.id);
  const { items } = (await call('GET', '/v1/workers')).body;
  const sites = items.map((w: { labels: { site?: string } }) => w.labels.site);
  const there = items[sites.indexOf('berlin')];

  await call('POST', `/v1/workers/${there.id}/pause`);
  const held = await submit({ model, ...SIMPLIFY, requires, seed: 2 });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const waiting = (await call('GET', `/v1/jobs/${held.id}`)).body.status;
  await call('POST', `/v1/workers/${there.id}/resume`);
  const resumed = await ended(call, held.id);
  await call('POST', `/v1/workers/${there.id}/drain`);

  expect(done.status).toBe('succeeded');
  expect(sites).toEqual(expect.arrayContaining(['paris', 'berlin']));
  expect(Date.now() - Date.parse(there.seenAt)).toBeLessThan(30_000);
  expect([waiting, resumed.status]).toEqual(['queued', 'succeeded']);
  await expect.poll(() => berlin.exitCode, { timeout: 20_000 }).toBe(0);
  await site.killAll();
  call = caller(await site.api());
});

test('sandbox: a hostile model costs its own job, the worker and the next job live on; a running one is cancelled in 5 s', {
  timeout: 3 * MINUTES,
}, async () => {
  const worker = site.worker({ LATHE_JOB_TRIAL_SECONDS: '3', LATHE_SECRET_KEY: 'very secret' });
  const hostile = (await call('POST', '/v1/models', endlessBytes())).body.id;
  const bad = await submit({ model: hostile, ...SIMPLIFY });
  const failed = await ended(call, bad.id);
  const good = await submit({ model: await uploaded(call, 3), ...SIMPLIFY, cache: false });
  const done = await ended(call, good.id);

  const endless = await submit({ model: hostile, ...SIMPLIFY, seed: 2 });
  await expect.poll(() => childrenOf(worker).length, { timeout: 20_000 }).toBe(1);
  const begun = performance.now();
  await call('POST', `/v1/jobs/${endless.id}/cancel`);
  const cancelled = await ended(call, endless.id);

  expect([failed.status, failed.error.code]).toEqual(['failed', 'JOB_STUCK']);
  expect([done.status, worker.exitCode]).toEqual(['succeeded', null]);
  expect(cancelled.status).toBe('cancelled');
  expect(performance.now() - begun).toBeLessThan(5000);
  await expect.poll(() => childrenOf(worker)).toEqual([]);
});
