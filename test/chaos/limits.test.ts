import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { endlessBytes, greedyBytes } from './hostile.ts';
import { childrenOf, inSecondStage, Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.killAll());
afterAll(() => site.close());

const SIMPLIFY = [{ stage: 'simplify' }];

const CASES = {
  'an inference that never ends': {
    env: { LATHE_JOB_TRIAL_SECONDS: '2' },
    bytes: endlessBytes,
    code: 'JOB_STUCK',
    detail: 'no progress for 2 s (trying the model)',
  },
  'an inference that takes all memory': {
    env: { LATHE_JOB_MEMORY: '600m' },
    bytes: greedyBytes,
    code: 'JOB_OUT_OF_MEMORY',
    detail: 'the limit of this worker is 600 MiB',
  },
  'a job beyond the wall clock': {
    env: { LATHE_JOB_SECONDS: '2' },
    bytes: endlessBytes,
    code: 'JOB_TIMEOUT',
    detail: 'longer than 2 s',
  },
} as const;

test.each(Object.entries(CASES))('%s: the job fails by name, the worker lives on', async (_, c) => {
  const worker = site.worker(c.env);
  const { id } = await site.submit({ model: await site.model(c.bytes()), stages: SIMPLIFY });

  const job = await site.finished(id, 60);

  expect(job).toMatchObject({ status: 'failed', attempt: 1 });
  expect(job.error).toMatchObject({ code: c.code, detail: expect.stringContaining(c.detail) });
  expect(worker.exitCode).toBeNull();
});

test('a file larger than allowed is named, not a crash', async () => {
  site.worker({ LATHE_JOB_FILE_BYTES: '500' });
  const { id } = await site.longJob({ stages: SIMPLIFY });

  const job = await site.finished(id, 60);

  expect(job.error).toMatchObject({ code: 'FILE_TOO_LARGE', retryable: false });
});

test('a model that is no model fails by name', async () => {
  site.worker();
  const { id } = await site.submit({
    model: await site.model(new TextEncoder().encode('no model at all')),
    stages: SIMPLIFY,
  });

  expect(await site.finished(id, 20)).toMatchObject({
    status: 'failed',
    error: { code: 'MODEL_UNREADABLE', retryable: false },
  });
});

test('a process that somebody kills is told apart from a crash, and its job can be retried', async () => {
  const worker = site.worker();
  const { id } = await site.longJob();
  await site.until(id, inSecondStage);

  for (const child of childrenOf(worker)) process.kill(child, 'SIGKILL');

  expect(await site.finished(id, 20)).toMatchObject({
    status: 'failed',
    error: { code: 'JOB_PROCESS_DIED', detail: expect.stringContaining('killed from outside') },
  });
});
