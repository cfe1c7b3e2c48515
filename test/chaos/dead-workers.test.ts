import { globSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { tinyBytes } from '../workers/job/tiny.ts';
import { alive, childrenOf, inSecondStage, kill, Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.killAll());
afterAll(() => site.close());

const longJob = () => site.longJob();

/** Of jobs: what Node has compiled (a hidden folder) stays. */
const leftovers = () => globSync(join(site.folder, 'work/*/*'));

test('kill -9 of a worker: another finishes the job without repeating the finished stage', async () => {
  const first = site.worker();
  const { id } = await longJob();
  await site.until(id, inSecondStage);
  const children = childrenOf(first);

  await kill(first, 'SIGKILL');
  site.worker();
  const job = await site.finished(id);

  expect(children).toHaveLength(1);
  expect(job).toMatchObject({ status: 'succeeded', outcome: 'pass', attempt: 2 });
  expect(await site.timesFinished(id)).toEqual([1, 1]);
  expect(alive(children[0]!)).toBe(false);
  await expect.poll(leftovers).toEqual([]);
});

test('a worker that hangs loses its job; when it wakes up, nothing it says counts', async () => {
  const hanging = site.worker();
  const { id } = await longJob();
  await site.until(id, inSecondStage);
  const [child] = childrenOf(hanging);

  hanging.kill('SIGSTOP');
  site.worker();
  await site.until(id, ({ attempt }) => attempt === 2);
  hanging.kill('SIGCONT');
  const job = await site.finished(id);

  expect(job).toMatchObject({ status: 'succeeded', attempt: 2 });
  await expect.poll(() => alive(child!), { timeout: 10_000 }).toBe(false);
  expect(await site.jobs.find(id)).toEqual(job);
  expect(await site.timesFinished(id)).toEqual([1, 1]);
});

test('two workers, many jobs: each is run once', async () => {
  site.worker();
  site.worker();
  const spec = {
    model: await site.model(tinyBytes()),
    dataset: await site.colours(3),
    stages: [{ stage: 'simplify' }],
  };
  const ids = await Promise.all(
    Array.from({ length: 4 }, async () => (await site.submit(spec)).id),
  );

  const jobs = await Promise.all(ids.map((id) => site.finished(id)));

  expect(jobs.map((j) => [j.status, j.attempt])).toEqual(ids.map(() => ['succeeded', 1]));
});

test('one native crash is tried again, the second is final', async () => {
  const worker = site.worker();
  const once = await longJob();
  await site.until(once.id, inSecondStage);
  process.kill(childrenOf(worker)[0]!, 'SIGSEGV');
  const survived = await site.finished(once.id);

  const twice = await longJob();
  for (const attempt of [1, 2]) {
    await site.until(twice.id, (j) => j.attempt === attempt && inSecondStage(j));
    process.kill(childrenOf(worker)[0]!, 'SIGSEGV');
  }
  const failed = await site.finished(twice.id);

  expect(survived).toMatchObject({ status: 'succeeded', attempt: 2, crashes: 1 });
  expect(await site.timesFinished(once.id)).toEqual([1, 1]);
  expect(failed).toMatchObject({
    status: 'failed',
    error: { code: 'MODEL_CRASHES_RUNTIME', stage: 'quantize', retryable: false },
  });
  expect(failed.stages.map((s) => s.status)).toEqual(['finished', 'failed']);
});
