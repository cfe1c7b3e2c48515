/** @file The settings of a worker: those of src/config.ts, with this machine's own figures where none are given. */

import { availableParallelism, tmpdir, totalmem, userInfo } from 'node:os';
import { join, resolve } from 'node:path';

import { type Config, readConfig } from '../src/config.ts';

export interface WorkerConfig {
  readonly redisUrl: string;
  readonly redisPrefix: string;
  /** Where artifacts are stored: the same folder as the API's. */
  readonly dataDir: string;
  readonly storage: Config['storage'];
  readonly s3: Config['s3'];
  /** Where jobs work; emptied as they end. */
  readonly workDir: string;
  /** Jobs at a time. */
  readonly concurrency: number;
  /** Intra-op threads of each job. */
  readonly threads: number;
  readonly provider: string;
  /** What jobs may ask for by `requires.labels`. */
  readonly labels: Config['labels'];
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
  /** Where spans are sent; empty: nowhere. */
  readonly tracesUrl: string;
  readonly logLevel: string;
  readonly warnings: readonly string[];
}

/** @throws ConfigError */
export function workerConfig(env: NodeJS.ProcessEnv): WorkerConfig {
  const config = readConfig(env);
  const { job, concurrency } = config;
  return Object.freeze({
    ...pick(config),
    concurrency,
    threads: config.threads || Math.max(1, Math.floor(availableParallelism() / concurrency)),
    workDir: resolve(config.workDir || join(tmpdir(), `lathe-work-${userInfo().uid}`)),
    jobMemory: job.memory || defaultMemory(concurrency),
    jobSeconds: job.seconds,
    silenceSeconds: job.silenceSeconds,
    trialSeconds: job.trialSeconds,
    jobFileBytes: job.fileBytes,
  });
}

function pick(config: Config) {
  const { redisUrl, redisPrefix, dataDir, storage, s3, provider, labels } = config;
  const { lockSeconds, graceSeconds, tracesUrl, logLevel, warnings } = config;
  return {
    redisUrl,
    redisPrefix,
    dataDir,
    storage,
    s3,
    provider,
    labels,
    lockSeconds,
    graceSeconds,
    tracesUrl,
    logLevel,
    warnings,
  };
}

/** Three quarters of what this machine or container has, shared by the jobs at a time. */
function defaultMemory(concurrency: number): number {
  const constrained = process.constrainedMemory();
  const all = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  return Math.floor((0.75 * all) / concurrency);
}
