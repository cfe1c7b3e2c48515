import type { ChildProcess } from 'node:child_process';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { alive, childrenOf, inSecondStage, Site, TENANT } from './site.ts';

let site: Site;
/** Started by the first test, after what must not run. */
let worker: ChildProcess;

beforeAll(async () => {
  site = await Site.open();
});
afterAll(() => site.close());

test('a queued job is cancelled at once, again and again, and never runs', async () => {
  const { id } = await site.longJob();

  const first = await site.service.cancel(TENANT, id);
  const second = await site.service.cancel(TENANT, id);
  worker = site.worker();
  const other = await site.longJob({ stages: [{ stage: 'simplify' }] });
  await site.finished(other.id);

  expect(first).toMatchObject({ status: 'cancelled', queueId: `${id}-1` });
  expect(second).toEqual(first);
  expect(await site.jobs.find(id)).toEqual(first);
});

test('a running job is cancelled within 5 s, its process with it; finished stages stay', async () => {
  const { id } = await site.longJob();
  await site.until(id, inSecondStage);
  const [child] = childrenOf(worker);

  const started = performance.now();
  const cancelling = await site.service.cancel(TENANT, id);
  const job = await site.finished(id);

  expect(cancelling!.status).toBe('cancelling');
  expect((performance.now() - started) / 1000).toBeLessThan(5);
  expect(job).toMatchObject({ status: 'cancelled', error: null, outcome: null });
  expect(job.stages.map((s) => s.status)).toEqual(['finished', 'cancelled']);
  expect(job.artifacts.map((a) => a.name)).toEqual(['stages/01-simplify.onnx']);
  expect(alive(child!)).toBe(false);
});

test('a cancellation that the worker did not hear of is read from the record', async () => {
  const { id } = await site.longJob();
  await site.until(id, inSecondStage);

  await site.jobs.change(id, () => ({ set: { status: 'cancelling' } }));

  expect(await site.finished(id, 6)).toMatchObject({ status: 'cancelled' });
});

test('a cancelled job can be retried: it resumes after its finished stage', async () => {
  const { id } = await site.longJob();
  await site.until(id, inSecondStage);
  await site.service.cancel(TENANT, id);
  await site.finished(id);

  await site.service.retry(TENANT, id);
  const job = await site.finished(id);

  expect(job).toMatchObject({ status: 'succeeded', attempt: 2 });
  const events = await site.events(id);
  expect(events.filter((e) => e['index'] === 0 && e['status'] === 'finished')).toMatchObject([
    { resumed: false },
    { resumed: true },
  ]);
});

test('another tenant can neither cancel nor retry, and a job at work or succeeded is not retried', async () => {
  const { id } = await site.longJob({ stages: [{ stage: 'simplify' }] });

  expect(await site.service.cancel('somebody else', id)).toBeUndefined();
  expect(await site.service.retry('somebody else', id)).toBeUndefined();
  await expect(site.service.retry(TENANT, id)).rejects.toMatchObject({ code: 'JOB_NOT_FINISHED' });
  expect(await site.finished(id)).toMatchObject({ status: 'succeeded' });

  await expect(site.service.retry(TENANT, id)).rejects.toMatchObject({ code: 'JOB_SUCCEEDED' });
});
