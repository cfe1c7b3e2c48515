/** @file `npm run dev`: a private Redis, the API and one worker, until Ctrl-C. What they stored stays in data/ and .cache/. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { startRedis } from './redis.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const REDIS_DATA = join(ROOT, '.cache/dev-redis');

mkdirSync(REDIS_DATA, { recursive: true });
const redis = await startRedis({ dir: REDIS_DATA });
const env = { LATHE_PORT: '8080', ...process.env, REDIS_URL: redis.url };
const processes = ['src/server.ts', 'workers/main.ts'].map(start);
console.error(
  `Lathe listens on http://127.0.0.1:${env.LATHE_PORT}; the API is described at /docs.`,
);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stopAll);
const codes = await Promise.all(processes.map(exit));
await redis.stop();
process.exitCode = codes.every((code) => code === 0) ? 0 : 1;

function start(file: string): ChildProcess {
  // A group of its own: Ctrl-C reaches us alone, and each is asked to stop once.
  return spawn(process.execPath, [file], { cwd: ROOT, env, stdio: 'inherit', detached: true });
}

/** One that ends takes the other with it. */
function exit(child: ChildProcess): Promise<number> {
  return new Promise((done) =>
    child.once('exit', (code) => {
      stopAll();
      done(code ?? 1);
    }),
  );
}

function stopAll(): void {
  for (const child of processes) if (child.exitCode === null) child.kill('SIGTERM');
}
