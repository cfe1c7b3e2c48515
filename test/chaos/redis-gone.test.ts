import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { OWN_REDIS_ONLY } from '../helpers/redis.ts';
import { childrenOf, inSecondStage, Site } from './site.ts';

const own = process.env['LATHE_TEST_REDIS_URL'] === undefined;

describe.runIf(own)(`Redis goes away (${OWN_REDIS_ONLY})`, () => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.openMortal();
  });
  afterEach(() => site.killAll());
  afterAll(() => site.close());

  test('in mid-job: the child works on, and nothing of its result is lost', async () => {
    const worker = site.worker({ LATHE_LOCK_SECONDS: '60' });
    const { id } = await site.longJob();
    await site.until(id, inSecondStage);
    const children = childrenOf(worker);

    const bringBack = await site.stopRedis();
    await sleep(3000);
    const during = childrenOf(worker);
    await bringBack();
    const job = await site.finished(id);

    expect(children).toHaveLength(1);
    expect(during.length === 0 || during[0] === children[0]).toBe(true);
    expect(job).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(job.artifacts.map((a) => a.name)).toContain('report.json');
  });

  test('at the start of a worker: it waits, and works when Redis comes', async () => {
    const { id } = await site.longJob({ stages: [{ stage: 'simplify' }] });
    const bringBack = await site.stopRedis();

    const worker = site.worker();
    await sleep(2000);
    expect(worker.exitCode).toBeNull();
    await bringBack();

    expect(await site.finished(id)).toMatchObject({ status: 'succeeded' });
  });

  test('the API says 503 at once, is not ready, and recovers by itself', async () => {
    const { url } = await site.api();
    const status = async (path: string) => {
      const started = performance.now();
      const { status } = await fetch(`${url}${path}`);
      return { status, quick: performance.now() - started < 8000 };
    };
    const before = await status('/readyz');

    const bringBack = await site.stopRedis();
    const during = await Promise.all(['/readyz', '/v1/jobs', '/livez'].map(status));
    await bringBack();

    expect(before.status).toBe(200);
    expect(during).toEqual([
      { status: 503, quick: true },
      { status: 503, quick: true },
      { status: 200, quick: true },
    ]);
    await expect.poll(() => status('/v1/jobs'), { timeout: 10_000 }).toMatchObject({ status: 200 });
  });
});
