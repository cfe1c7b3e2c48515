import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';
import { expect, test } from 'vitest';

import { startRedis } from '../../scripts/redis.mjs';

const ROOT = join(import.meta.dirname, '../..');

test('two servers start on ports of their own, with the settings that queues need', async () => {
  const servers = await Promise.all([startRedis(), startRedis()]);
  const client = new Redis(servers[0]!.url);

  const policy = await client.config('GET', 'maxmemory-policy');
  const appendOnly = await client.config('GET', 'appendonly');
  client.disconnect();
  await Promise.all(servers.map((server) => server.stop()));

  expect(servers[0]!.port).not.toBe(servers[1]!.port);
  expect(policy).toEqual(['maxmemory-policy', 'noeviction']);
  expect(appendOnly).toEqual(['appendonly', 'yes']);
  expect(servers.filter(({ dir }) => existsSync(dir))).toEqual([]);
});

test('a server dies with the process that started it, and leaves no folder', async () => {
  const script = `
    const { startRedis } = await import(${JSON.stringify(join(ROOT, 'scripts/redis.mjs'))});
    const { pid, dir } = await startRedis();
    console.log(JSON.stringify({ pid, dir }));
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script]);
  const line = await new Promise<Buffer>((done) => parent.stdout.once('data', done));
  const { pid, dir } = JSON.parse(line.toString()) as { pid: number; dir: string };
  expect(isAlive(pid)).toBe(true);

  parent.kill('SIGKILL');

  await until(() => !isAlive(pid) && !existsSync(dir));
});

test('a port that somebody else holds is named', async () => {
  const first = await startRedis();

  await expect(startRedis({ port: first.port })).rejects.toThrow(String(first.port));

  await first.stop();
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(met: () => boolean): Promise<void> {
  for (const end = Date.now() + 5000; !met(); await sleep(20))
    if (Date.now() > end) throw new Error('still not so after 5 s');
}
