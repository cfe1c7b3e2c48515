/** @file Does memory stay flat? Mixed work for minutes, and the memory of API, workers and Redis after the warm-up. */

import { parseArgs } from 'node:util';

import { connectRedis } from '../src/records/redis.ts';
import { type Bound, Installation, tell } from './service/installation.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    workers: { type: 'string', default: '2' },
    clients: { type: 'string', default: '3' },
  },
});

/** The first so much of the time is warm-up. */
const WARM = 1 / 3;
const SAMPLE_MS = 5000;
const MiB = 2 ** 20;
/** What may be added between the first and the last third of the time after the warm-up, in MiB. */
const MOST = { api: 20, workers: 20, redis: 5 };

interface Sample {
  readonly at: number;
  readonly api: number;
  readonly workers: number;
  readonly redis: number;
}

const installation = await Installation.open({ LATHE_RETENTION_DAYS: '1' });
const end = Date.now() + 60_000 * Number(values.minutes);
const counts = { jobs: 0, sweeps: 0, uploads: 0, streams: 0, lists: 0, failures: 0 };
const samples: Sample[] = [];

try {
  await installation.startWorkers(Number(values.workers));
  const model = await installation.tinyModel();
  const sampling = sample();
  await Promise.all(Array.from({ length: Number(values.clients) }, () => client(model)));
  await sampling;
  const warm = samples.slice(Math.ceil(samples.length * WARM));
  tell(boundsOf(warm), { counts, samples: samples.length, minutes: Number(values.minutes) });
} finally {
  await installation.close();
}

/** One after the other, whatever the client of a pipeline does; all it made is deleted at the end. */
async function client(model: string): Promise<void> {
  for (let round = 0; Date.now() < end; round++) {
    try {
      await installation.tinyModel();
      counts.uploads++;
      await (round % 5 === 4 ? oneSweep(model, round) : oneJob(model, round));
      await call('GET', 'v1/jobs?limit=50');
      counts.lists++;
    } catch (error) {
      counts.failures++;
      process.stderr.write(`a round failed: ${(error as Error).message}\n`);
    }
  }
}

async function oneJob(model: string, seed: number): Promise<void> {
  const stages = [{ stage: 'simplify' }];
  const { id } = await call('POST', 'v1/jobs', { model, stages, seed, cache: seed % 2 === 0 });
  await followed(`v1/jobs/${id}/events`);
  await call('GET', `v1/jobs/${id}/artifacts/report.json`);
  await call('DELETE', `v1/jobs/${id}`);
  counts.jobs++;
}

async function oneSweep(model: string, round: number): Promise<void> {
  const stages = [{ stage: 'simplify' }];
  const grid = { '/seed': [3 * round, 3 * round + 1] };
  const { id } = await call('POST', 'v1/sweeps', { model, stages, grid, cache: false });
  await followed(`v1/sweeps/${id}/events`);
  await call('DELETE', `v1/sweeps/${id}`);
  counts.sweeps++;
}

async function followed(path: string): Promise<void> {
  const answer = await fetch(`${installation.url}/${path}`, {
    signal: AbortSignal.timeout(300_000),
  });
  await answer.text();
  counts.streams++;
}

async function call(method: string, path: string, body?: object): Promise<{ id: string }> {
  const answer = await fetch(`${installation.url}/${path}`, {
    method,
    signal: AbortSignal.timeout(120_000),
    ...(body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return text === '' ? { id: '' } : (JSON.parse(text) as { id: string });
}

async function sample(): Promise<void> {
  const redis = connectRedis(installation.redisUrl, 'steady');
  while (Date.now() < end) {
    const info = await redis.info('memory');
    samples.push({
      at: Date.now(),
      api: installation.apiMemory(),
      workers: installation.workerMemory(),
      redis: Number(/used_memory:(\d+)/.exec(info)?.[1]) / MiB,
    });
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
  redis.disconnect();
}

/** Medians of the first and the last third: one peak counts for nothing. */
function boundsOf(warm: readonly Sample[]): Bound[] {
  const third = Math.max(1, Math.floor(warm.length / 3));
  return (['api', 'workers', 'redis'] as const).map((who) => {
    const of = (some: readonly Sample[]) => median(some.map((s) => s[who]));
    const [first, last] = [of(warm.slice(0, third)), of(warm.slice(-third))];
    const what = `${who}: ${last.toFixed(1)} MiB, added after warm-up`;
    return { what, measured: last - first, most: MOST[who], unit: 'MiB' };
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
