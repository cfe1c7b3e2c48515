/** @file A whole installation for one test file: Redis, store, records, and worker processes that can be killed. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { startRedis } from '../../scripts/redis.mjs';
import { newJobId } from '../../src/contract/ids.ts';
import type { JobSpec } from '../../src/contract/job.ts';
import { FairQueue } from '../../src/queue/fair-queue.ts';
import { JobService } from '../../src/queue/job-service.ts';
import type { CatalogEntry } from '../../src/records/catalog.ts';
import { type DatasetRecord, Datasets } from '../../src/records/datasets.ts';
import { type JobRecord, TERMINAL } from '../../src/records/job-record.ts';
import { Jobs } from '../../src/records/jobs.ts';
import { type ModelRecord, Models } from '../../src/records/models.ts';
import { connectRedis } from '../../src/records/redis.ts';
import { DiskStore } from '../../src/storage/disk.ts';
import { openDataset } from '../../workers/data/open.ts';
import { digestOf } from '../helpers/digest.ts';
import { type TestRedis, testRedis } from '../helpers/redis.ts';
import { colourFolder, tinyBytes } from '../workers/job/tiny.ts';

export const TENANT = 'tests';

/** A second of lock instead of a minute: tests that kill workers need not wait long. */
const QUICK = { LATHE_LOCK_SECONDS: '2', LATHE_GRACE_SECONDS: '1' };

/** Pixels of an image: large enough that the second stage of `longJob` takes a second on any machine, and can be met at work. */
const SIZE = [640, 480] as const;

export interface Api {
  readonly process: ChildProcess;
  readonly url: string;
}

export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), 'lathe-site-'));
  redis: TestRedis;
  readonly store: DiskStore;
  readonly jobs: Jobs;
  readonly service: JobService;
  readonly models: Models;
  readonly datasets: Datasets;
  readonly #connection;
  readonly queue: FairQueue;
  readonly #processes = new Set<ChildProcess>();
  readonly #colours = new Map<number, string>();

  private constructor(redis: TestRedis) {
    this.redis = redis;
    this.store = new DiskStore(join(this.folder, 'data'));
    this.#connection = connectRedis(redis.url, 'steady');
    this.jobs = new Jobs(this.#connection, redis.prefix);
    this.queue = new FairQueue(this.#connection, redis.prefix, () => {});
    this.service = new JobService(this.jobs, this.queue);
    this.models = new Models(this.#connection, redis.prefix);
    this.datasets = new Datasets(this.#connection, redis.prefix);
  }

  static async open(): Promise<Site> {
    return new Site(await testRedis());
  }

  /** With a Redis whose data outlive its process, so that it can go and come back. */
  static async openMortal(): Promise<Site> {
    const dir = mkdtempSync(join(tmpdir(), 'lathe-redis-'));
    const server = await startRedis({ dir });
    const stop = async () => {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    };
    return new Site({ url: server.url, prefix: '{lathe}', server, stop });
  }

  /** Take Redis away, keeping its data. @returns how to bring it back on the same port */
  async stopRedis(): Promise<() => Promise<void>> {
    const { server, prefix } = this.redis;
    const { port, dir } = server!;
    await server!.stop();
    return async () => {
      const back = await startRedis({ port, dir });
      const stop = async () => {
        await back.stop();
        rmSync(dir, { recursive: true, force: true });
      };
      this.redis = { url: back.url, prefix, server: back, stop };
    };
  }

  async killAll(): Promise<void> {
    for (const process of this.#processes) await kill(process, 'SIGKILL');
  }

  async close(): Promise<void> {
    await this.killAll();
    await this.queue.close();
    this.#connection.disconnect();
    await this.redis.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A worker process of its own. */
  worker(env: Readonly<Record<string, string>> = {}): ChildProcess {
    return this.#start('workers/main.ts', { LATHE_LOG_LEVEL: 'warn', ...env }, 'inherit');
  }

  /** An API process of its own. @returns once it listens */
  async api(env: Readonly<Record<string, string>> = {}): Promise<Api> {
    const process = this.#start('src/server.ts', { LATHE_PORT: '0', ...env }, 'pipe');
    const lines = createInterface({ input: process.stdout! });
    for await (const line of lines) {
      const { msg, url } = JSON.parse(line) as { msg?: string; url?: string };
      if (msg === 'listening' && url) return { process, url };
    }
    throw new Error('the API ended before it listened');
  }

  #start(
    program: string,
    env: Readonly<Record<string, string>>,
    stdout: 'inherit' | 'pipe',
  ): ChildProcess {
    const started = spawn(process.execPath, [program], {
      stdio: ['ignore', stdout, 'inherit'],
      env: {
        ...process.env,
        ...QUICK,
        REDIS_URL: this.redis.url,
        LATHE_REDIS_PREFIX: this.redis.prefix,
        LATHE_DATA_DIR: join(this.folder, 'data'),
        LATHE_WORK_DIR: join(this.folder, 'work'),
        ...env,
      },
    });
    this.#processes.add(started.once('exit', () => this.#processes.delete(started)));
    return started;
  }

  /** @returns its id */
  async model(bytes: Uint8Array): Promise<string> {
    const id = digestOf(bytes);
    const file = join(this.folder, 'upload.onnx');
    writeFileSync(file, bytes);
    await this.models.add(TENANT, (await this.#entry(id, file)) as ModelRecord);
    return id;
  }

  /** Colours in class folders, as a tar. @param images per class @returns its id */
  async colours(images = 6): Promise<string> {
    const known = this.#colours.get(images);
    if (known) return known;
    const file = await this.coloursTar(images);
    const { id } = await openDataset(join(this.folder, `colours-${images}`));
    await this.datasets.add(TENANT, (await this.#entry(id, file)) as DatasetRecord);
    this.#colours.set(images, id);
    return id;
  }

  /** @returns path of the archive */
  async coloursTar(images = 6): Promise<string> {
    const folder = await colourFolder(join(this.folder, `colours-${images}`), images, SIZE);
    const file = join(this.folder, `colours-${images}.tar`);
    execFileSync('tar', ['-cf', file, '-C', folder, '.']);
    return file;
  }

  async #entry(id: string, file: string): Promise<CatalogEntry> {
    const { digest, bytes } = await this.store.putFile(file);
    return { id, blob: digest, bytes, name: 'colours.onnx', createdAt: new Date().toISOString() };
  }

  submit(spec: JobSpec): Promise<JobRecord> {
    return this.service.submit({ id: newJobId(), tenant: TENANT, spec });
  }

  /** Two stages, the second long enough to be interrupted. */
  async longJob(spec: Partial<JobSpec> = {}): Promise<JobRecord> {
    return this.submit({
      model: await this.model(tinyBytes()),
      dataset: await this.colours(60),
      stages: [{ stage: 'simplify' }, { stage: 'quantize', images: 180 } as never],
      ...spec,
    });
  }

  /** The job once it is as wanted. @throws Error with what it was instead, after `seconds` */
  async until(id: string, wanted: (job: JobRecord) => boolean, seconds = 40): Promise<JobRecord> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const job = await this.jobs.find(id);
      if (job && wanted(job)) return job;
      if (Date.now() > end) throw new Error(`not within ${seconds} s: ${JSON.stringify(job)}`);
      await sleep(50);
    }
  }

  finished = (id: string, seconds?: number) =>
    this.until(id, ({ status }) => TERMINAL.has(status), seconds);

  /** How often each of two stages was really worked on to its end. */
  async timesFinished(id: string): Promise<number[]> {
    const finished = (await this.events(id)).filter((e) => e['resumed'] === false);
    return [0, 1].map((index) => finished.filter((e) => e['index'] === index).length);
  }

  /** Everything the job's stream holds, oldest first. */
  async events(id: string): Promise<Record<string, unknown>[]> {
    const entries = await this.#connection.xrange(this.jobs.keys.events(id), '-', '+');
    return entries.map(([, fields]) => JSON.parse(fields[1]!) as Record<string, unknown>);
  }
}

/** @returns once it is gone */
export async function kill(process: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const gone = new Promise((resolve) => process.once('exit', resolve));
  process.kill(signal);
  await gone;
}

/** Ids of the job processes that a worker has started. */
export function childrenOf(worker: ChildProcess): number[] {
  try {
    const text = readFileSync(`/proc/${worker.pid}/task/${worker.pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

export function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export const inSecondStage = ({ stages }: JobRecord) =>
  stages[0]!.status === 'finished' && stages[1]!.status === 'running';
