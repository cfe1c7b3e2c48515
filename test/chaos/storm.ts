/** @file A service at work in bad weather: clients that go on asking, processes that are started again, one kind of fault many times. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { type PrivateRedis, startRedis } from '../../scripts/redis.mjs';
import type { JobRecord } from '../../src/records/job-record.ts';
import { TERMINAL } from '../../src/records/job-record.ts';
import { Jobs } from '../../src/records/jobs.ts';
import { connectRedis } from '../../src/records/redis.ts';
import { digestOf } from '../helpers/digest.ts';
import { type Receiver, receiver } from '../helpers/receiver.ts';
import { tinyBytes } from '../workers/job/tiny.ts';
import { FAULTS, type Fault, type FaultName } from './faults.ts';
import { type Api, kill } from './site.ts';
import { type TroubledS3, troubledS3 } from './troubled-s3.ts';

export interface StormOptions {
  readonly injections: number;
  /** How long Redis is paused at a time, in milliseconds. */
  readonly pauseMs?: number;
  readonly workers?: number;
}

/** What came of it. Everything but the figures should be empty. */
export interface StormResult {
  readonly injections: number;
  readonly accepted: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Accepted, and not ended or not known. */
  readonly lost: readonly string[];
  /** More than one job for one idempotency key. */
  readonly doubled: readonly string[];
  /** Stages of jobs that were worked on to their end more than once. */
  readonly repeated: readonly string[];
  /** Ended, and the webhook never heard. */
  readonly untold: readonly string[];
  /** Artifacts whose bytes are not what their digest says. */
  readonly broken: readonly string[];
  readonly orphans: readonly string[];
  readonly leftovers: readonly string[];
}

const QUICK = { LATHE_LOCK_SECONDS: '2', LATHE_GRACE_SECONDS: '1', LATHE_LOG_LEVEL: 'info' };
const SETTLE_MS = 600_000;
/** Jobs on their way per client. */
const AT_ONCE = 3;
const CLIENTS = 2;

export class Storm {
  readonly folder = mkdtempSync(join(tmpdir(), 'lathe-storm-'));
  readonly data = join(this.folder, 'data');
  readonly pauseMs: number;
  redis!: PrivateRedis;
  s3: TroubledS3 | undefined;
  api: Api | undefined;
  workers: ChildProcess[] = [];
  readonly #options: StormOptions;
  readonly #fault: Fault;
  readonly #made = new Map<string, string>();
  #hooks!: Receiver;
  #port = 0;
  #stopping = false;
  #submitting = true;

  constructor(fault: FaultName, options: StormOptions) {
    this.#fault = FAULTS[fault];
    this.#options = options;
    this.pauseMs = options.pauseMs ?? 3000;
  }

  /** Everything from start-up to the last look. */
  async run(): Promise<StormResult> {
    try {
      await this.#start();
      const model = await this.#upload();
      await this.#listen();
      const clients = Array.from({ length: CLIENTS }, () => this.#client(model));
      for (let i = 0; i < this.#options.injections; i++) {
        await sleep(randomInt(200, 2000));
        await this.#fault.inject(this);
        await this.#ready();
      }
      this.#submitting = false;
      await Promise.all(clients);
      return await this.#result();
    } finally {
      await this.#close();
    }
  }

  async #start(): Promise<void> {
    mkdirSync(this.data);
    if (this.#fault.storage === 'small disk')
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', this.data]);
    if (this.#fault.storage === 's3') this.s3 = await troubledS3();
    const dir = join(this.folder, 'redis');
    mkdirSync(dir);
    this.redis = await startRedis({ dir });
    this.#hooks = await receiver();
    await this.#startApi();
    for (let i = 0; i < (this.#options.workers ?? 2); i++) this.#startWorker(i);
  }

  #spawn(program: string, env: object, stdout: 'ignore' | 'pipe'): ChildProcess {
    return spawn(process.execPath, [program], {
      stdio: ['ignore', stdout, 'ignore'],
      env: {
        ...process.env,
        ...QUICK,
        ...this.s3?.env,
        ...this.#fault.env,
        REDIS_URL: this.redis.url,
        LATHE_DATA_DIR: this.data,
        LATHE_WORK_DIR: join(this.folder, 'work'),
        LATHE_ALLOW_PRIVATE_TARGETS: '1',
        ...env,
      },
    });
  }

  /** Again on the same port whenever it ends. */
  async #startApi(): Promise<void> {
    const started = this.#spawn('src/server.ts', { LATHE_PORT: String(this.#port) }, 'pipe');
    started.once('exit', () => {
      this.api = undefined;
      if (!this.#stopping) void this.#startApi();
    });
    for await (const line of createInterface({ input: started.stdout! })) {
      const { msg, url } = JSON.parse(line) as { msg?: string; url?: string };
      if (msg !== 'listening' || !url) continue;
      this.#port = Number(new URL(url).port);
      this.api = { process: started, url };
      started.stdout!.resume();
      return;
    }
  }

  #startWorker(index: number): void {
    const started = this.#spawn('workers/main.ts', {}, 'ignore');
    this.workers[index] = started;
    started.once('exit', () => {
      if (!this.#stopping) this.#startWorker(index);
    });
  }

  /** Until the API answers and is ready, whatever it went through. */
  async #ready(): Promise<void> {
    for (let tries = 0; tries < 1200; tries++) {
      const answer = await this.#fetch('/readyz');
      if (answer?.ok && this.api) return;
      await sleep(100);
    }
    throw new Error('the API did not become ready again within two minutes');
  }

  #fetch(path: string, init: RequestInit = {}): Promise<Response | undefined> {
    const signal = AbortSignal.timeout(60_000);
    const url = `http://127.0.0.1:${this.#port}${path}`;
    return fetch(url, { signal, ...init }).catch(() => undefined);
  }

  async #upload(): Promise<string> {
    await this.#ready();
    const headers = { 'content-type': 'application/octet-stream' };
    const body = new Uint8Array(tinyBytes());
    const answer = await this.#fetch('/v1/models', { method: 'POST', headers, body });
    return ((await answer!.json()) as { id: string }).id;
  }

  async #listen(): Promise<void> {
    const body = JSON.stringify({ url: this.#hooks.url });
    const headers = { 'content-type': 'application/json' };
    await this.#fetch('/v1/webhooks', { method: 'POST', headers, body });
  }

  /** Keeps some jobs on their way; asks again with the same key until each is accepted. */
  async #client(model: string): Promise<void> {
    const open = new Set<string>();
    while (this.#submitting) {
      while (open.size < AT_ONCE && this.#submitting) open.add(await this.#submit(model));
      for (const id of open) if (await this.#hasEnded(id)) open.delete(id);
      await sleep(200);
    }
  }

  async #submit(model: string): Promise<string> {
    const key = randomUUID();
    const stages = [{ stage: 'simplify' }, { stage: 'simplify' }];
    const body = JSON.stringify({ model, stages, cache: false, labels: { key } });
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    for (;;) {
      const answer = await this.#fetch('/v1/jobs', { method: 'POST', headers, body });
      if (answer?.status === 202) {
        const view = (await answer.json().catch(() => undefined)) as { id: string } | undefined;
        if (view) {
          this.#made.set(key, view.id);
          return view.id;
        }
      }
      await sleep(100);
    }
  }

  async #hasEnded(id: string): Promise<boolean> {
    const answer = await this.#fetch(`/v1/jobs/${id}`);
    if (!answer?.ok) return false;
    const { status } = (await answer.json()) as Pick<JobRecord, 'status'>;
    return TERMINAL.has(status);
  }

  async #result(): Promise<StormResult> {
    const redis = connectRedis(this.redis.url, 'steady');
    const jobs = new Jobs(redis);
    const ids = [...this.#made.values()];
    const records = await this.#settled(jobs, ids);
    const ended = records.filter((job) => TERMINAL.has(job.status));
    const statuses = Object.groupBy(records, (job) => saidOf(job));
    const result = {
      injections: this.#options.injections,
      accepted: ids.length,
      statuses: Object.fromEntries(Object.entries(statuses).map(([k, v]) => [k, v!.length])),
      lost: ids.filter((id) => !ended.some((job) => job.id === id)),
      doubled: doubledKeys(await everyJob(jobs)),
      repeated: await repeatedStages(redis, jobs, ids),
      untold: await this.#untold(ended),
      broken: await this.#broken(ended),
    };
    redis.disconnect();
    await this.#stopProcesses();
    return { ...result, orphans: this.#orphans(), leftovers: this.#leftovers() };
  }

  async #settled(jobs: Jobs, ids: readonly string[]): Promise<JobRecord[]> {
    const end = Date.now() + SETTLE_MS;
    for (;;) {
      const found = (await Promise.all(ids.map((id) => jobs.find(id)))).filter((j) => !!j);
      if (found.every((job) => TERMINAL.has(job.status)) || Date.now() > end) return found;
      await sleep(500);
    }
  }

  async #untold(ended: readonly JobRecord[]): Promise<string[]> {
    for (let tries = 0; ; tries++) {
      const told = new Set(this.#hooks.received.map(({ body }) => JSON.parse(body).data.id));
      const left = ended.map(({ id }) => id).filter((id) => !told.has(id));
      if (left.length === 0 || tries > 60) return left;
      await sleep(1000);
    }
  }

  async #broken(ended: readonly JobRecord[]): Promise<string[]> {
    const wrong: string[] = [];
    for (const { id, status, artifacts } of ended) {
      if (status === 'succeeded' && artifacts.length < 6) wrong.push(`${id} lacks artifacts`);
      for (const { name, digest } of artifacts) {
        const answer = await this.#fetch(`/v1/jobs/${id}/artifacts/${name}`);
        const bytes = answer?.ok ? new Uint8Array(await answer.arrayBuffer()) : new Uint8Array();
        const found = digestOf(bytes);
        if (found !== digest) wrong.push(`${id} ${name}`);
      }
    }
    return wrong;
  }

  async #stopProcesses(): Promise<void> {
    this.#stopping = true;
    const all = [...this.workers, ...(this.api ? [this.api.process] : [])];
    await Promise.all(all.map((one) => kill(one, 'SIGTERM')));
  }

  /** Processes that still name the folder in their command line. */
  #orphans(): string[] {
    return globSync('/proc/[0-9]*/cmdline')
      .map((file) => {
        try {
          return readFileSync(file, 'utf8').replaceAll('\0', ' ');
        } catch {
          return '';
        }
      })
      .filter((line) => line.includes(join(this.folder, 'work')));
  }

  /** Of jobs at work and uploads on their way: there are none any more. */
  #leftovers(): string[] {
    const jobs = globSync(join(this.folder, 'work/*/*'));
    const incoming = join(this.data, 'incoming');
    return [...jobs, ...(existsSync(incoming) ? readdirSync(incoming) : [])];
  }

  async #close(): Promise<void> {
    this.#submitting = false;
    this.#stopping = true;
    for (const one of [...this.workers, this.api?.process]) if (one) await kill(one, 'SIGKILL');
    await this.#hooks?.close();
    await this.redis?.stop();
    await this.s3?.close();
    if (this.#fault.storage === 'small disk') execFileSync('umount', ['-l', this.data]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function everyJob(jobs: Jobs): Promise<JobRecord[]> {
  const all: JobRecord[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await jobs.list('local', { limit: 200, ...(cursor && { cursor }) });
    all.push(...page.items);
    cursor = page.nextCursor;
  }
  return all;
}

function doubledKeys(jobs: readonly JobRecord[]): string[] {
  const byKey = Object.groupBy(jobs, (job) => job.labels['key'] ?? '');
  return Object.entries(byKey)
    .filter(([, some]) => some!.length > 1)
    .map(([key]) => key);
}

/** Worked on to the end twice, and not resumed: told by the stream of events. */
async function repeatedStages(
  redis: ReturnType<typeof connectRedis>,
  jobs: Jobs,
  ids: readonly string[],
): Promise<string[]> {
  const repeated: string[] = [];
  for (const id of ids) {
    const entries = await redis.xrange(jobs.keys.events(id), '-', '+');
    const done = entries
      .map(([, fields]) => JSON.parse(fields[1]!) as Record<string, unknown>)
      .filter((e) => e['type'] === 'stage' && e['status'] === 'finished' && e['resumed'] === false)
      .map((e) => e['index']);
    if (new Set(done).size < done.length) repeated.push(id);
  }
  return repeated;
}

const saidOf = ({ status, error }: JobRecord): string =>
  error ? `${status}: ${error.code}: ${error.detail}` : status;
