/** @file What the service promises those who run it, one test per promise: storage in a bucket, and everything to look at. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Api, Site } from '../chaos/site.ts';
import { type TroubledS3, troubledS3 } from '../chaos/troubled-s3.ts';
import { digestOf } from '../helpers/digest.ts';
import { type Call, caller, ended, SIMPLIFY, uploaded } from './caller.ts';

const MINUTES = 60_000;
const run = promisify(execFile);

let site: Site;
let s3: TroubledS3;
let api: Api;
let call: Call;

beforeAll(async () => {
  site = await Site.open();
  s3 = await troubledS3();
  site.worker(s3.env);
  api = await site.api({ ...s3.env, LATHE_S3_PUBLIC_ENDPOINT: s3.env['LATHE_S3_ENDPOINT']! });
  call = caller(api);
});
afterAll(async () => {
  await site.close();
  await s3.close();
});

test('storage: API and worker share a bucket, downloads go there directly, trouble is waited for', {
  timeout: 2 * MINUTES,
}, async () => {
  const model = await uploaded(call, 1);
  s3.trouble = 'error';
  setTimeout(() => {
    s3.trouble = 'none';
  }, 1000);
  const { id } = (await call('POST', '/v1/jobs', { model, ...SIMPLIFY })).body;
  const job = await ended(call, id);
  const path = `/v1/jobs/${id}/artifacts/model.onnx`;
  const link = (await call('GET', `${path}?link=true`)).body;
  const direct = await (await fetch(link.url)).bytes();
  const through = await (await fetch(new URL(path, api.url))).bytes();
  await call('DELETE', `/v1/jobs/${id}`);

  expect([job.status, link.presigned]).toEqual(['succeeded', true]);
  expect([digestOf(direct), digestOf(through)]).toEqual([link.digest, link.digest]);
  expect((await call('GET', path)).status).toBe(404);
});

test('operations: alive, ready, counted, examined, and ended in order', {
  timeout: 2 * MINUTES,
}, async () => {
  const model = await uploaded(call, 2);
  const { id } = (await call('POST', '/v1/jobs', { model, ...SIMPLIFY })).body;
  await ended(call, id);
  const [alive, ready, metrics] = [
    await call('GET', '/livez'),
    await call('GET', '/readyz'),
    await call('GET', '/metrics'),
  ];
  const { stdout } = await run(process.execPath, ['cli/main.ts', 'doctor', 'redis', '--json'], {
    env: { ...process.env, REDIS_URL: site.redis.url },
  });
  s3.trouble = 'error';
  const troubled = await call('GET', '/readyz');
  s3.trouble = 'none';
  api.process.kill('SIGTERM');

  expect([alive.status, ready.status, troubled.status]).toEqual([200, 200, 503]);
  for (const figure of ['lathe_stage_seconds_count{stage="simplify"}', 'lathe_workers'])
    expect(metrics.body).toContain(figure);
  expect(metrics.body).toMatch(/lathe_jobs_ended_total\{status="succeeded"\} [12]/);
  expect(metrics.body).not.toContain(id);
  expect(JSON.parse(stdout).findings.map((f: { state: string }) => f.state)).not.toContain('bad');
  await expect.poll(() => api.process.exitCode, { timeout: 20_000 }).toBe(0);
});
