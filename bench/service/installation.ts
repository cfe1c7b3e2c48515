/** @file A whole installation on loopback for one benchmark: a private Redis, an API process, workers; all gone afterwards. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { type PrivateRedis, startRedis } from '../../scripts/redis.mjs';
import { tinyBytes } from '../../test/workers/job/tiny.ts';

const PAGE = 4096;
const TRIES = 5;
const SEEN_MS = 200;
const MiB = 2 ** 20;

export class Installation {
  readonly folder = mkdtempSync(join(tmpdir(), 'lathe-bench-'));
  readonly #redis: PrivateRedis;
  readonly #processes: ChildProcess[] = [];
  url = '';
  #api: ChildProcess | undefined;

  private constructor(redis: PrivateRedis) {
    this.#redis = redis;
  }

  /** With an API that listens. @param env settings of it */
  static async open(env: Readonly<Record<string, string>> = {}): Promise<Installation> {
    const opened = new Installation(await startRedis());
    try {
      await opened.#startApi(env);
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  get redisUrl(): string {
    return this.#redis.url;
  }

  /** Until they wait for jobs. @param execArgv options of Node, for the worker and for the children that it starts */
  async startWorkers(count: number, execArgv: readonly string[] = []): Promise<void> {
    for (let i = 0; i < count; i++) {
      const env = { LATHE_THREADS: '1', LATHE_WORK_DIR: join(this.folder, `work-${i}`) };
      this.#start([...execArgv, 'workers/main.ts'], env, 'ignore');
    }
    while ((await this.#workersSeen()) < count) await sleep(SEEN_MS);
  }

  async #workersSeen(): Promise<number> {
    const answer = await fetch(`${this.url}/v1/workers`);
    return ((await answer.json()) as { items: unknown[] }).items.length;
  }

  /** Id of a model that is worked on within a second. A busy machine may take too long to inspect it: then again. */
  async tinyModel(): Promise<string> {
    for (let tries = 1; ; tries++) {
      const answer = await fetch(`${this.url}/v1/models`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: new Uint8Array(tinyBytes()),
      });
      const said = (await answer.json()) as { id?: string; detail?: string };
      if (said.id !== undefined) return said.id;
      if (tries === TRIES) throw new Error(said.detail);
    }
  }

  /** Resident memory of the API process, in MiB. */
  apiMemory(): number {
    return memoryOf(this.#api!);
  }

  /** Of the worker processes together, without their children, in MiB. */
  workerMemory(): number {
    const workers = this.#processes.filter((one) => one !== this.#api);
    return workers.reduce((sum, one) => sum + memoryOf(one), 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map(ended));
    await this.#redis.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #startApi(env: Readonly<Record<string, string>>): Promise<void> {
    this.#api = this.#start(['src/server.ts'], { LATHE_PORT: '0', ...env }, 'pipe');
    for await (const line of createInterface({ input: this.#api.stdout! })) {
      const { msg, url } = JSON.parse(line) as { msg?: string; url?: string };
      if (msg !== 'listening' || !url) continue;
      this.url = url;
      this.#api.stdout!.resume();
      return;
    }
    throw new Error('the API ended before it listened');
  }

  #start(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    stdout: 'ignore' | 'pipe',
  ): ChildProcess {
    const started = spawn(process.execPath, args, {
      stdio: ['ignore', stdout, 'inherit'],
      env: {
        ...process.env,
        REDIS_URL: this.#redis.url,
        LATHE_DATA_DIR: join(this.folder, 'data'),
        LATHE_RATE_LIMIT: '1000000',
        LATHE_LOG_LEVEL: 'info',
        ...env,
      },
    });
    this.#processes.push(started);
    return started;
  }
}

function memoryOf({ pid }: ChildProcess): number {
  const pages = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1];
  return (Number(pages) * PAGE) / MiB;
}

async function ended(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const gone = new Promise((resolve) => process.once('exit', resolve));
  process.kill('SIGTERM');
  const late = setTimeout(() => process.kill('SIGKILL'), 20_000);
  await gone;
  clearTimeout(late);
}

/** A figure beside its bound, and whether it holds. */
export interface Bound {
  readonly what: string;
  readonly measured: number;
  readonly most: number;
  readonly unit: string;
}

/** Print figures for people and, as the last line, for scripts; the exit code says whether all bounds hold. */
export function tell(bounds: readonly Bound[], more: object): void {
  for (const { what, measured, most, unit } of bounds) {
    const holds = measured <= most ? 'holds' : 'MISSED';
    console.log(`${what.padEnd(44)} ${round(measured)} ${unit} (most ${most}) ${holds}`);
  }
  console.log(JSON.stringify({ bounds, ...more }));
  if (bounds.some(({ measured, most }) => !(measured <= most))) process.exitCode = 1;
}

const round = (value: number) => Math.round(10 * value) / 10;
