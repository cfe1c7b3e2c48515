/** @file What a worker makes of its settings (src/config.ts): defaults that depend on the machine. */

import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';

import { readConfig } from '../src/config.ts';

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

/** @throws ConfigError naming each variable, what was found and what is valid */
export function workerConfig(env: Environment): WorkerConfig {
  const config = readConfig(env);
  const { concurrency, job } = config;
  return Object.freeze({
    redisUrl: config.redisUrl,
    prefix: config.redisPrefix,
    dataDir: config.dataDir,
    workDir: resolve(config.workDir || join(tmpdir(), 'lathe-work')),
    concurrency,
    threads: config.threads || Math.max(1, Math.floor(availableParallelism() / concurrency)),
    provider: config.provider,
    jobMemory: job.memory || defaultMemory(concurrency),
    jobSeconds: job.seconds,
    silenceSeconds: job.silenceSeconds,
    trialSeconds: job.trialSeconds,
    jobFileBytes: job.fileBytes,
    lockSeconds: config.lockSeconds,
    graceSeconds: config.graceSeconds,
    logLevel: config.logLevel,
  });
}

/** Three quarters of what this machine or container has, shared by the jobs at a time. */
function defaultMemory(concurrency: number): number {
  const constrained = process.constrainedMemory();
  const all = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  return Math.floor((0.75 * all) / concurrency);
}
