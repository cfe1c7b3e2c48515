import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { isDead, OWN_ID } from '../../workers/supervision/neighbours.ts';
import { inSecondStage, kill, Site, TENANT } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.killAll());
afterAll(() => site.close());

/** So long that nothing here can come of a lock that runs out. */
const LONG_LOCK = { LATHE_LOCK_SECONDS: '600' };

test('on the same machine, nobody waits for the lock of a dead worker to run out', async () => {
  const first = site.worker(LONG_LOCK);
  const { id } = await site.longJob();
  await site.until(id, inSecondStage);
  site.worker(LONG_LOCK);

  await kill(first, 'SIGKILL');
  await site.until(id, ({ attempt, status }) => attempt === 2 && status === 'running', 10);
  const job = await site.finished(id);

  expect(job).toMatchObject({ status: 'succeeded', attempt: 2 });
  expect(await site.timesFinished(id)).toEqual([1, 1]);
});

test('a job that is being cancelled when its worker dies is cancelled', async () => {
  const first = site.worker(LONG_LOCK);
  const { id } = await site.longJob();
  await site.until(id, inSecondStage);
  first.kill('SIGSTOP');
  await site.service.cancel(TENANT, id);
  site.worker(LONG_LOCK);

  await kill(first, 'SIGKILL');

  expect(await site.finished(id, 15)).toMatchObject({ status: 'cancelled', attempt: 1 });
});

test('SIGTERM of a worker: the job is handed back at once and resumes elsewhere', async () => {
  const first = site.worker(LONG_LOCK);
  const { id } = await site.longJob();
  await site.until(id, inSecondStage);

  const started = performance.now();
  await kill(first, 'SIGTERM');
  const seconds = (performance.now() - started) / 1000;
  const back = await site.jobs.find(id);
  site.worker(LONG_LOCK);
  const job = await site.finished(id);

  expect(first.exitCode).toBe(0);
  expect(seconds).toBeLessThan(6);
  expect(back).toMatchObject({ status: 'queued', attempt: 2 });
  expect(job).toMatchObject({ status: 'succeeded', attempt: 2 });
  expect(await site.timesFinished(id)).toEqual([1, 1]);
});

test.each([
  ['this process', OWN_ID, false],
  ['a process that is gone', OWN_ID.replace(/\/\d+\//, '/4194305/'), true],
  [
    'an earlier process with the same id',
    OWN_ID.replace(/\d+$/, '1'),
    process.platform === 'linux',
  ],
  ['a process of another machine', `elsewhere/4194305/1`, false],
])('%s', (_, worker, dead) => {
  expect(isDead(worker)).toBe(dead);
});
