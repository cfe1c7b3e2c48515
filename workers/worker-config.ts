/** @file Every setting of a worker, from its environment: read once, checked, frozen. */

import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';

export interface WorkerConfig {
  readonly redisUrl: string;
  /** Before every key, so that installations can share one Redis. */
  readonly prefix: string;
  /** Where artifacts are stored: the same folder as the API's. */
  readonly dataDir: string;
  /** Where jobs work; emptied as they end. */
  readonly workDir: string;
  /** Jobs at a time. */
  readonly concurrency: number;
  /** Intra-op threads of each job. */
  readonly threads: number;
  readonly provider: string;
  /** Of a job's processes, resident, in bytes. */
  readonly jobMemory: number;
  /** Wall clock of one attempt. */
  readonly jobSeconds: number;
  /** Longest time without a word from the job. */
  readonly silenceSeconds: number;
  /** Longest time that the very first inference of a model may take. */
  readonly trialSeconds: number;
  /** Largest file that a job may write, in bytes. */
  readonly jobFileBytes: number;
  /** How long a dead worker's job is waited for before another worker takes it. */
  readonly lockSeconds: number;
  /** Between SIGTERM and SIGKILL of a job. */
  readonly graceSeconds: number;
  readonly logLevel: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Error naming the variable, what was found and what is valid */
export function workerConfig(env: Environment): WorkerConfig {
  const concurrency = whole(env, 'LATHE_CONCURRENCY', 1, 1);
  return Object.freeze({
    redisUrl: env['REDIS_URL'] || 'redis://127.0.0.1:6379',
    prefix: env['LATHE_PREFIX'] || 'lathe',
    dataDir: resolve(env['LATHE_DATA_DIR'] || 'data'),
    workDir: resolve(env['LATHE_WORK_DIR'] || join(tmpdir(), 'lathe-work')),
    concurrency,
    threads: whole(
      env,
      'LATHE_THREADS',
      Math.max(1, Math.floor(availableParallelism() / concurrency)),
      1,
    ),
    provider: env['LATHE_PROVIDER'] || 'auto',
    jobMemory: bytes(env, 'LATHE_JOB_MEMORY', defaultMemory(concurrency)),
    jobSeconds: whole(env, 'LATHE_JOB_SECONDS', 86_400, 1),
    silenceSeconds: whole(env, 'LATHE_JOB_SILENCE_SECONDS', 600, 1),
    trialSeconds: whole(env, 'LATHE_JOB_TRIAL_SECONDS', 60, 1),
    jobFileBytes: bytes(env, 'LATHE_JOB_FILE_BYTES', 16 * 2 ** 30),
    lockSeconds: whole(env, 'LATHE_LOCK_SECONDS', 60, 1),
    graceSeconds: whole(env, 'LATHE_GRACE_SECONDS', 3, 0),
    logLevel: env['LATHE_LOG_LEVEL'] || 'info',
  });
}

/** Three quarters of what this machine or container has, shared by the jobs at a time. */
function defaultMemory(concurrency: number): number {
  const constrained = process.constrainedMemory();
  const all = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  return Math.floor((0.75 * all) / concurrency);
}

function whole(env: Environment, name: string, fallback: number, least: number): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`${name} is '${text}'; valid is a whole number, at least ${least}.`);
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
};

/** 4294967296, 4096m, 4g, 4GiB. */
function bytes(env: Environment, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const match = /^(\d+)\s*([kmg]?)(?:i?b)?$/i.exec(text);
  if (match) return Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
  throw new Error(`${name} is '${text}'; valid is a number of bytes, or one with k, m or g: 4g.`);
}
