/** @file The API as a process: how it starts, refuses to start, lives without Redis, and stops. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startRedis } from '../../scripts/redis.mjs';
import { type TestRedis, testRedis } from '../helpers/redis.ts';
import { BYTES, modelFile } from './site.ts';

let redis: TestRedis;
const folder = mkdtempSync(join(tmpdir(), 'lathe-server-'));
const started = new Set<ChildProcess>();
beforeAll(async () => {
  redis = await testRedis();
});
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL');
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Served {
  readonly child: ChildProcess;
  /** What it has said on both streams. */
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

function serve(env: Readonly<Record<string, string>>, before = ''): Served {
  const program = [process.execPath, 'src/server.ts'];
  const [command, ...args] = before
    ? ['/bin/sh', '-c', `${before}; exec "$0" "$@"`, ...program]
    : program;
  const child = spawn(command!, args, {
    env: {
      PATH: process.env['PATH'],
      REDIS_URL: redis.url,
      LATHE_REDIS_PREFIX: redis.prefix,
      LATHE_DATA_DIR: join(folder, 'data'),
      LATHE_PORT: '0',
      ...env,
    },
  });
  started.add(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      text += chunk;
    });
  const ended = new Promise<number | null>((resolve) =>
    child.once('close', (code) => {
      started.delete(child);
      resolve(code);
    }),
  );
  return { child, said: () => text, ended };
}

async function addressOf({ said }: Served): Promise<string> {
  for (let i = 0; i < 200; i++) {
    const url = /"url":"(http:[^"]+)"/.exec(said())?.[1];
    if (url) return url;
    await sleep(50);
  }
  throw new Error(`it does not listen: ${said()}`);
}

async function until(url: string, status: number): Promise<Response> {
  for (let i = 0; ; i++) {
    const answer = await fetch(`${url}/readyz`);
    if (answer.status === status) return answer;
    if (i > 100) throw new Error(`/readyz stays ${answer.status}`);
    await sleep(100);
  }
}

test('a port that is taken: one sentence, exit code 2', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };

  const served = serve({ LATHE_PORT: String(port), LATHE_LOG_LEVEL: 'silent' });

  expect(await served.ended, served.said()).toBe(2);
  expect(served.said()).toMatch(/^Another process is listening on .*LATHE_PORT\.\n$/);
  other.close();
});

test.each([
  ['a wrong port', { LATHE_PORT: '80a' }, /LATHE_PORT is '80a'; valid: an integer/],
  [
    'a wrong flag and a wrong URL',
    { LATHE_INSECURE: 'yes', REDIS_URL: 'localhost' },
    /REDIS_URL is[\s\S]*LATHE_INSECURE is/,
  ],
  [
    'keys that are none, without showing them',
    { LATHE_API_KEYS: 'secret' },
    /^LATHE_API_KEYS is not valid(?!.*secret)/,
  ],
  ['an open address without keys', { LATHE_HOST: '0.0.0.0' }, /there are no keys/],
])('%s: named, exit code 2', async (_, env: Record<string, string>, expected) => {
  const served = serve(env);

  expect(await served.ended).toBe(2);
  expect(served.said()).toMatch(expected);
});

test('a misspelt setting is told; an open address is served with LATHE_INSECURE=1', async () => {
  const served = serve({ LATHE_HOST: '0.0.0.0', LATHE_INSECURE: '1', LATHE_DATADIR: 'x' });
  const url = (await addressOf(served)).replace('0.0.0.0', '127.0.0.1');

  expect((await until(url, 200)).status).toBe(200);
  expect(served.said()).toContain('did you mean LATHE_DATA_DIR?');
  served.child.kill('SIGTERM');
  expect(await served.ended).toBe(0);
});

test('SIGTERM: streams end, waiting requests are answered, exit code 0', async () => {
  const served = serve({});
  const url = await addressOf(served);
  await until(url, 200);
  const type = { 'content-type': BYTES };
  const upload = await fetch(`${url}/v1/models`, {
    method: 'POST',
    headers: type,
    body: modelFile(),
  });
  const { id: model } = (await upload.json()) as { id: string };
  const submitted = await fetch(`${url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, stages: [{ stage: 'simplify' }] }),
  });
  const { id } = (await submitted.json()) as { id: string };
  const events = fetch(`${url}/v1/jobs/${id}/events`).then((answer) => answer.text());
  const waiting = fetch(`${url}/v1/jobs/${id}?wait=60`).then((answer) => answer.json());
  await sleep(300);

  const at = Date.now();
  served.child.kill('SIGTERM');

  expect(await events).toContain('"status":"queued"');
  expect(await waiting).toMatchObject({ status: 'queued' });
  expect(await served.ended, served.said()).toBe(0);
  expect(Date.now() - at).toBeLessThan(8000);
});

test('Redis away: it says so, answers 503, and works when Redis comes', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lathe-redis-'));
  const first = await startRedis({ dir });
  const { url: redisUrl, port } = first;
  await first.stop();

  const served = serve({ REDIS_URL: redisUrl, LATHE_REDIS_PREFIX: 'x' });
  const url = await addressOf(served);
  const away = await until(url, 503);
  const at = Date.now();
  const list = await fetch(`${url}/v1/jobs`);
  const live = await fetch(`${url}/livez`);

  expect((await away.json()) as object).toMatchObject({ code: 'NOT_READY', retryable: true });
  expect([list.status, live.status]).toEqual([503, 200]);
  expect(list.headers.get('retry-after')).toBe('2');
  expect((await list.json()) as object).toMatchObject({ code: 'REDIS_UNAVAILABLE' });
  expect(Date.now() - at).toBeLessThan(3000);
  expect(served.said()).toContain('Redis');

  const second = await startRedis({ dir, port });
  await until(url, 200);
  expect((await fetch(`${url}/v1/jobs`)).status).toBe(200);
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('lathe_queue_jobs 0');

  await second.stop();
  await until(url, 503);
  served.child.kill('SIGTERM');
  await served.ended;
  rmSync(dir, { recursive: true, force: true });
});

test('no room on the disk: 507, nothing half-written, and the server lives on', async () => {
  const served = serve({ LATHE_DATA_DIR: join(folder, 'small') }, 'ulimit -f 64');
  const url = await addressOf(served);
  await until(url, 200);
  const headers = { 'content-type': BYTES };

  const full = await fetch(`${url}/v1/models`, {
    method: 'POST',
    headers,
    body: Buffer.alloc(400_000, 1),
  });
  const small = await fetch(`${url}/v1/models`, { method: 'POST', headers, body: modelFile(1) });

  expect([full.status, small.status]).toEqual([507, 201]);
  expect((await full.json()) as object).toMatchObject({ code: 'STORAGE_FULL', retryable: true });
  served.child.kill('SIGTERM');
  await served.ended;
});
