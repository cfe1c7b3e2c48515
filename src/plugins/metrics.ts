/** @file Figures for Prometheus: of this process, of the queue and the workers as they stand, and what Redis has counted. */

import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  readonly type: string;
  text(): Promise<string>;
}

/** Where the figures come from. No ids in labels, and no names of tenants. */
export interface Sources {
  /** Jobs by status, those that wait and those at work among them. */
  jobs(): Promise<Readonly<Record<string, number>>>;
  /** For how long the one that waits longest has waited, in seconds; 0: none does. */
  oldestWait(): Promise<number>;
  workers(): Promise<readonly { readonly duty: string; readonly concurrency: number }[]>;
  /** What all processes have counted together, in the text format. */
  counted(): Promise<string>;
}

export function installMetrics(app: FastifyInstance, sources: Sources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'lathe_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last byte of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  });
  queueGauges(registry, sources);
  workerGauges(registry, sources);
  app.addHook('onResponse', async ({ method, routeOptions }, reply) => {
    const labels = { method, route: routeOptions.url ?? 'none', status: reply.statusCode };
    requests.observe(labels, reply.elapsedTime / 1000);
  });
  return {
    type: registry.contentType,
    text: async () => `${await registry.metrics()}${await sources.counted().catch(() => '')}`,
  };
}

function queueGauges(registry: Registry, { jobs, oldestWait }: Sources): void {
  const registers = [registry];
  new Gauge({
    name: 'lathe_queue_jobs',
    help: 'Jobs that wait for a worker.',
    registers,
    async collect() {
      this.set(await jobs().then((by) => by['queued'] ?? 0, unknown));
    },
  });
  new Gauge({
    name: 'lathe_jobs',
    help: 'Jobs that are kept, by status.',
    labelNames: ['status'],
    registers,
    async collect() {
      for (const [status, count] of Object.entries(await jobs().catch(() => ({}))))
        this.set({ status }, count);
    },
  });
  new Gauge({
    name: 'lathe_queue_oldest_seconds',
    help: 'How long the job that waits longest has waited.',
    registers,
    async collect() {
      this.set(await oldestWait().catch(unknown));
    },
  });
}

function workerGauges(registry: Registry, { workers }: Sources): void {
  const registers = [registry];
  new Gauge({
    name: 'lathe_workers',
    help: 'Workers that are alive, by what is wanted of them.',
    labelNames: ['duty'],
    registers,
    async collect() {
      this.reset();
      for (const { duty } of await workers().catch(() => [])) this.inc({ duty });
    },
  });
  new Gauge({
    name: 'lathe_worker_slots',
    help: 'Jobs that the working workers run at once.',
    registers,
    async collect() {
      const working = await workers().catch(() => []);
      const slots = working.map((w) => (w.duty === 'working' ? w.concurrency : 0));
      this.set(slots.reduce((sum, n) => sum + n, 0));
    },
  });
}

/** Redis does not answer. */
const unknown = () => Number.NaN;
