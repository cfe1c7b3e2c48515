/** @file Figures for Prometheus. No ids in labels. */

import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  readonly type: string;
  text(): Promise<string>;
}

/** @param queueDepth jobs that wait */
export function installMetrics(app: FastifyInstance, queueDepth: () => Promise<number>): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'lathe_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last byte of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  });
  new Gauge({
    name: 'lathe_queue_jobs',
    help: 'Jobs that wait for a worker.',
    registers: [registry],
    async collect() {
      this.set(await queueDepth().catch(() => Number.NaN));
    },
  });
  app.addHook('onResponse', async ({ method, routeOptions }, reply) => {
    const labels = { method, route: routeOptions.url ?? 'none', status: reply.statusCode };
    requests.observe(labels, reply.elapsedTime / 1000);
  });
  return { type: registry.contentType, text: () => registry.metrics() };
}
