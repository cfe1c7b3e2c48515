/** @file A backup: Redis's append-only file and the data folder, copied while nothing is written, and restored elsewhere. */

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { startRedis } from '../../scripts/redis.mjs';
import { tinyBytes } from '../workers/job/tiny.ts';
import { type Api, Site } from './site.ts';

let site: Site;
const backup = mkdtempSync(join(tmpdir(), 'lathe-backup-'));

beforeAll(async () => {
  site = await Site.openMortal();
});
afterAll(async () => {
  await site.close();
  rmSync(backup, { recursive: true, force: true });
});

async function post({ url }: Api, path: string, body: object | Uint8Array<ArrayBuffer>) {
  const bytes = body instanceof Uint8Array;
  const type = bytes ? 'application/octet-stream' : 'application/json';
  const answer = await fetch(`${url}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: bytes ? body : JSON.stringify(body),
  });
  return (await answer.json()) as { id: string };
}

test('restored elsewhere: models, finished jobs with their files, and jobs that wait, which then run', {
  timeout: 400_000,
}, async () => {
  let api = await site.api();
  const model = (await post(api, 'models', new Uint8Array(tinyBytes()))).id;
  const spec = { model, stages: [{ stage: 'simplify' }], cache: false };
  const { id: done } = await post(api, 'jobs', spec);
  const worker = site.worker();
  await site.finished(done, 150);
  const report = await text(api, `jobs/${done}/artifacts/report.json`);
  worker.kill('SIGKILL');
  const { id: waiting } = await post(api, 'jobs', spec);

  await site.killAll();
  const { dir } = site.redis.server!;
  const back = await site.stopRedis();
  cpSync(dir, join(backup, 'redis'), { recursive: true });
  cpSync(join(site.folder, 'data'), join(backup, 'data'), { recursive: true });
  rmSync(join(site.folder, 'data'), { recursive: true });
  const redis = await startRedis({ dir: join(backup, 'redis') });
  const elsewhere = { REDIS_URL: redis.url, LATHE_DATA_DIR: join(backup, 'data') };
  api = await site.api(elsewhere);
  site.worker(elsewhere);

  expect(JSON.parse(await text(api, `models/${model}`))).toMatchObject({ id: model });
  expect(await text(api, `jobs/${done}/artifacts/report.json`)).toBe(report);
  const ended = await endOf(api, waiting);
  expect(ended).toMatchObject({ id: waiting, status: 'succeeded' });
  await site.killAll();
  await redis.stop();
  await back();
});

async function text({ url }: Api, path: string): Promise<string> {
  return (await fetch(`${url}/v1/${path}`)).text();
}

/** Three times the longest wait. */
async function endOf(api: Api, id: string): Promise<object> {
  for (let tries = 1; ; tries++) {
    const job = JSON.parse(await text(api, `jobs/${id}?wait=60`)) as { readonly status: string };
    if (job.status !== 'queued' && job.status !== 'running') return job;
    if (tries === 3) return job;
  }
}
