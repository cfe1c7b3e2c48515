/** @file The worker process: takes jobs off the queue and looks after them until it is told to stop. */

import { mkdir } from 'node:fs/promises';

import { Worker } from 'bullmq';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';

import type { Abilities } from '../src/contract/requires.ts';
import { openLog } from '../src/logging/log.ts';
import { queuePrefix } from '../src/queue/bullmq.ts';
import { FairQueue } from '../src/queue/fair-queue.ts';
import { poolOf } from '../src/queue/pools.ts';
import { Datasets } from '../src/records/datasets.ts';
import { Jobs } from '../src/records/jobs.ts';
import { Models } from '../src/records/models.ts';
import { connectRedis, type Redis } from '../src/records/redis.ts';
import { openStore } from '../src/storage/registry.ts';
import { openTraces, type Traces } from '../src/traces/traces.ts';
import { Attendance } from './attendance.ts';
import { LATHE } from './jobs/versions.ts';
import { chooseProvider } from './runtime/providers.ts';
import { confinementHere } from './supervision/confinement.ts';
import { takeOver } from './supervision/neighbours.ts';
import { stepBack } from './supervision/priority.ts';
import { removeOrphans } from './supervision/workspace.ts';
import { Supervisor } from './supervisor.ts';
import { type WorkerConfig, workerConfig } from './worker-config.ts';

/** A queue job that was started more often than this takes its workers down: it fails for good. */
const STARTS = { maxStalledCount: 2, maxStartedAttempts: 5 };

/** How often the neighbours are looked at. */
const NEIGHBOURS_MS = 3000;
/** For handing back, once the jobs' processes have ended. */
const HAND_BACK_MS = 6000;

export interface RunningWorker {
  /** It was told to drain, and its last job has ended. */
  readonly drained: Promise<void>;
  /** Stop taking jobs, hand back those at work, close. */
  close(): Promise<void>;
}

/** Start working. While Redis is away it waits and says so. */
export async function startWorker(asked: WorkerConfig, log: Logger): Promise<RunningWorker> {
  const config = { ...asked, provider: await chooseProvider(asked.provider) };
  await removeOrphans(config.workDir);
  await mkdir(config.workDir, { recursive: true });
  const traces = await openTraces(config.tracesUrl, 'lathe-worker');
  const onError = repeatedErrors(log);
  const redis = connectRedis(config.redisUrl, 'steady', onError);
  const subscriber = connectRedis(config.redisUrl, 'subscriber', onError);
  const queue = new FairQueue(redis, config.redisPrefix, onError);
  const jobs = new Jobs(redis, config.redisPrefix);
  const supervisor = supervisorOf(config, redis, jobs, queue, traces, log);
  subscriber.on('message', (channel, id: string) => {
    if (channel === jobs.keys.cancel) supervisor.cancel(id);
  });
  void subscriber.subscribe(jobs.keys.cancel).catch(onError);
  const watch = watchNeighbours(redis, jobs, queue, log, onError);
  const abilities = abilitiesOf(config);
  const worker = bullWorker(config, poolOf(abilities), redis, supervisor, onError);
  const drained = Promise.withResolvers<void>();
  const attendance = new Attendance({
    ...{ redis, subscriber, prefix: config.redisPrefix, onError },
    about: { ...abilities, concurrency: config.concurrency, version: LATHE },
    running: () => supervisor.atWork,
    onSeen: () => queue.dispatch(),
    async onDuty(duty) {
      log.info({ duty }, 'duty changed');
      if (duty === 'working') worker.resume();
      else await worker.pause(true);
      if (duty === 'draining') worker.close().then(drained.resolve, onError);
    },
  });
  return {
    drained: drained.promise,
    async close() {
      clearInterval(watch);
      const closing = worker.close();
      supervisor.handBack();
      await closing;
      await attendance.leave();
      await queue.close();
      await traces.close().catch(onError);
      redis.disconnect();
      subscriber.disconnect();
    },
  };
}

/** Memory in steps, so that machines of one kind, which differ by some pages, share a queue. */
const MEMORY_STEP = 2 ** 26;

function abilitiesOf({ provider, labels, jobMemory }: WorkerConfig): Abilities {
  const memory = Math.max(MEMORY_STEP, Math.floor(jobMemory / MEMORY_STEP) * MEMORY_STEP);
  return { gpu: provider !== 'cpu', provider, memory, labels };
}

function supervisorOf(
  config: WorkerConfig,
  redis: Redis,
  jobs: Jobs,
  queue: FairQueue,
  traces: Traces,
  log: Logger,
): Supervisor {
  const confinement = confinementHere();
  const { concurrency, threads, provider, jobMemory } = config;
  log.info({ ...confinement, concurrency, threads, provider, jobMemory }, 'ready');
  return new Supervisor({
    jobs,
    store: openStore(config),
    catalogs: {
      models: new Models(redis, config.redisPrefix),
      datasets: new Datasets(redis, config.redisPrefix),
    },
    config,
    confinement,
    traces,
    queue,
    log: (facts, message) => log.info(facts, message),
  });
}

/** Take over from workers of this machine that died, without waiting for their locks. */
function watchNeighbours(
  redis: Redis,
  jobs: Jobs,
  queue: FairQueue,
  log: Logger,
  onError: (error: Error) => void,
): NodeJS.Timeout {
  let busy = false;
  return setInterval(async () => {
    if (busy || redis.status !== 'ready') return;
    busy = true;
    const taken = await takeOver(jobs, queue).catch((error) => onError(error as Error));
    for (const job of taken ?? []) log.info({ job }, 'taken over from a dead worker');
    await queue.tend(jobs).catch(onError);
    busy = false;
  }, NEIGHBOURS_MS);
}

function bullWorker(
  config: WorkerConfig,
  pool: string,
  redis: Redis,
  supervisor: Supervisor,
  onError: (error: Error) => void,
): Worker {
  const lockDuration = config.lockSeconds * 1000;
  const worker = new Worker(
    pool,
    // Three parameters: BullMQ hands the signal only to a processor that declares it.
    async (job, _token, signal) => {
      await supervisor.process(job.id ?? '', String(job.data.job), signal);
    },
    {
      connection: redis,
      prefix: queuePrefix(config.redisPrefix),
      concurrency: config.concurrency,
      lockDuration,
      stalledInterval: Math.max(1000, lockDuration / 2),
      ...STARTS,
    },
  );
  return worker.on('error', onError);
}

/** The same message once every ten seconds: a Redis that is away fails many times a second. */
function repeatedErrors(log: Logger): (error: Error) => void {
  const told = new Map<string, number>();
  return (error) => {
    const now = Date.now();
    if (now - (told.get(error.message) ?? 0) < 10_000) return;
    told.set(error.message, now);
    log.warn({ error: error.message || String(error) }, 'trouble, trying again');
  };
}

/** `lathe worker`: until SIGTERM or SIGINT. */
export async function runWorker(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  stepBack(0, 'worker');
  const config = workerConfig(env);
  const log = openLog('worker', config.logLevel);
  for (const warning of config.warnings) log.warn(warning);
  const worker = await startWorker(config, log);
  // Within the ten seconds that containers are given, even where Redis is away and nothing can be handed back.
  closeWithGrace({ delay: config.graceSeconds * 1000 + HAND_BACK_MS }, async ({ err, signal }) => {
    if (err) log.error({ error: err.message, stack: err.stack }, 'unexpected');
    log.info({ signal }, 'stopping');
    await worker.close();
  });
  await worker.drained;
  log.info('drained');
  await worker.close();
}

if (import.meta.main) await runWorker();
