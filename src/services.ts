/** @file Everything that the routes work with, over one Redis and one data folder. */

import { join } from 'node:path';
import type { Logger } from 'pino';

import type { Config } from './config.ts';
import { prepareToPlan } from './contract/plan.ts';
import { resultKey } from './contract/result-key.ts';
import { readStageDocument } from './contract/stage-document.ts';
import { Inspector } from './inspection/inspector.ts';
import { everySoOften } from './queue/bullmq.ts';
import { FairQueue } from './queue/fair-queue.ts';
import { JobService } from './queue/job-service.ts';
import { Audit } from './records/audit.ts';
import { Datasets } from './records/datasets.ts';
import { JobEvents } from './records/events.ts';
import { figuresText } from './records/figures.ts';
import { Idempotency } from './records/idempotency.ts';
import { TERMINAL } from './records/job-record.ts';
import { Jobs } from './records/jobs.ts';
import { Keys } from './records/keys.ts';
import { Models } from './records/models.ts';
import { Pins } from './records/pins.ts';
import { Purges } from './records/purges.ts';
import { Quotas } from './records/quotas.ts';
import { connectRedis } from './records/redis.ts';
import { Sweeps } from './records/sweeps.ts';
import { Workers } from './records/workers.ts';
import type { Collaborators } from './routes/collaborators.ts';
import { reseal } from './secrets/reseal.ts';
import { sealFor } from './secrets/seal.ts';
import { openStore } from './storage/registry.ts';
import { Uploads } from './storage/uploads.ts';
import { SweepService } from './sweeps/sweep-service.ts';
import { openTraces } from './traces/traces.ts';
import { openImports, openResumable } from './transfers.ts';
import { purgeEnded, upkeep } from './upkeep.ts';
import { ownVersion } from './version.ts';
import { Webhooks } from './webhooks/webhooks.ts';

const UPKEEP_MS = 30_000;

/** How late a job may expire, and how long a dispatcher that died is missed. */
const OFTEN_MS = 1000;

export interface Services {
  readonly collaborators: Collaborators;
  /** In the order that loses nothing: deliveries and upkeep first, connections last. */
  close(): Promise<void>;
}

/** @param closing aborted when the server is about to stop */
export async function openServices(
  config: Config,
  log: Logger,
  closing: AbortSignal,
): Promise<Services> {
  const { redisPrefix: prefix, dataDir } = config;
  const onError = told(log);
  const connect = (role: Parameters<typeof connectRedis>[1]) =>
    connectRedis(config.redisUrl, role, onError);
  const redis = connect('request');
  const subscriber = connect('subscriber');
  const steady = connect('steady');
  const waiting = connect('steady');

  const version = ownVersion();
  const stages = readStageDocument();
  prepareToPlan(stages);
  const jobs = new Jobs(redis, prefix);
  const queue = new FairQueue(redis, prefix, onError);
  const service = new JobService(jobs, queue);
  const sweeps = new SweepService(new Sweeps(redis, prefix), service);
  const events = new JobEvents(redis, subscriber, jobs.keys);
  void events.start().catch(onError);
  const needs = {
    jobs,
    queue,
    models: new Models(redis, prefix),
    datasets: new Datasets(redis, prefix),
    purges: new Purges(redis, prefix),
    pins: new Pins(redis, prefix),
    store: openStore(config),
    uploads: new Uploads(dataDir),
    retentionDays: config.retentionDays,
  };
  const quotas = new Quotas(redis, prefix);
  const inspector = new Inspector({ scratch: join(dataDir, 'incoming') });
  const transfer = { ...needs, inspector, quotas, redis, subscriber, closing, onError };
  const resumable = openResumable(config, transfer);
  const traces = await openTraces(config.tracesUrl, 'lathe-api');
  const seal = await sealFor(config);
  const resealing = async () => {
    const count = seal.rotating ? await reseal(redis, prefix, seal) : 0;
    if (count > 0) log.info({ count }, 'secrets are sealed with the current key');
  };
  const imports = openImports(config, {
    ...{ ...transfer, steady, seal },
    changed: jobs.keys.changed,
  });
  const allowPrivate = config.allowPrivateTargets;
  const webhooks = new Webhooks({ jobs, redis, seal, allowPrivate });
  const deliveries =
    config.role === 'api'
      ? undefined // another process delivers
      : webhooks.deliver({ jobs, prefix, redis: steady, waiting, traces, onError });
  const rounds = everySoOften(
    steady,
    prefix,
    UPKEEP_MS,
    () => upkeep({ ...needs, resumable, imports, reseal: resealing }),
    onError,
  );
  const workers = new Workers(redis, prefix);
  const announce = () => void new Quotas(steady, prefix).announce(config.quotas).catch(onError);
  announce();
  steady.on('ready', announce);
  const often = setInterval(() => {
    if (redis.status !== 'ready') return;
    service.expire().catch(onError);
    service.freeHeld().catch(onError);
    queue.tend(jobs).catch(onError);
    sweeps.tellEnds(({ tenant }, view) => webhooks.tellSweep(tenant, view)).catch(onError);
  }, OFTEN_MS);

  const purge = async (_tenant: string, id: string): Promise<void> => {
    await needs.purges.add(id);
    if (await purgeEnded(needs, id)) return;
    const stop = events.watch(id, () => void again());
    const again = async () => {
      const job = await jobs.find(id).catch(() => undefined);
      if (job && !TERMINAL.has(job.status)) return;
      stop();
      await purgeEnded(needs, id).catch(onError);
    };
  };

  return {
    collaborators: {
      ...needs,
      service,
      sweeps,
      events,
      webhooks,
      purge,
      closing,
      inspector,
      resumable,
      imports,
      stages,
      resultKey: (spec) => resultKey(spec, version),
      limits: {
        modelBytes: config.maxModelBytes,
        datasetBytes: config.maxDatasetBytes,
        freeBytes: config.minFreeBytes,
      },
      quotas,
      tenants: [...new Set(config.apiKeys.map(({ name }) => name))],
      workers,
      traces,
      idempotency: new Idempotency(redis, prefix),
      keys: new Keys(redis, prefix),
      audit: new Audit(redis, prefix),
      figures: () => figuresText(redis, prefix),
      pingRedis: () => redis.ping(),
    },
    async close() {
      clearInterval(often);
      await Promise.allSettled([
        deliveries?.close(),
        rounds.close(),
        resumable.close(),
        imports.close(),
      ]);
      await queue.close().catch(onError);
      await traces.close().catch(onError);
      for (const connection of [redis, subscriber, steady, waiting]) connection.disconnect();
    },
  };
}

/** The same message once every ten seconds: a Redis that is away fails many times a second. */
export function told(log: Logger): (error: Error) => void {
  const last = new Map<string, number>();
  return (error) => {
    const text = error.message || String((error as AggregateError).errors?.[0] ?? error);
    if (Date.now() - (last.get(text) ?? 0) < 10_000) return;
    last.set(text, Date.now());
    log.warn({ error: text }, 'trouble (with Redis?), trying again');
  };
}
