/** @file /livez, /readyz, /metrics. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import type { Metrics } from '../plugins/metrics.ts';
import type { Collaborators } from './collaborators.ts';
import { problems } from './schemas.ts';

const SECONDS = 2;

export const healthRoutes: FastifyPluginAsyncTypebox<Collaborators & { metrics: Metrics }> = async (
  app,
  deps,
) => {
  const status = Type.Object({ status: Type.String() });
  const tags = ['operations'];

  app.get(
    '/livez',
    {
      config: { key: 'nobody' },
      logLevel: 'warn',
      schema: {
        operationId: 'live',
        summary: 'The process answers',
        tags,
        security: [],
        response: { 200: status, ...problems() },
      },
    },
    async () => ({ status: 'ok' }),
  );

  app.get(
    '/readyz',
    {
      config: { key: 'nobody' },
      logLevel: 'error',
      schema: {
        operationId: 'ready',
        summary: 'Requests can be served: Redis, storage and disk space are there',
        tags,
        security: [],
        response: { 200: status, ...problems('NOT_READY') },
      },
    },
    async () => {
      const faults = (await Promise.all([redis(deps), storage(deps)])).filter(Boolean);
      if (deps.closing.aborted) faults.unshift('it is shutting down');
      if (faults.length > 0) throw new ServiceError('NOT_READY', { why: faults.join('; ') });
      return { status: 'ok' };
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'metrics',
        summary: 'Figures for Prometheus',
        tags,
        response: {
          200: {
            description: 'Text format 0.0.4.',
            content: { 'text/plain': { schema: { type: 'string' } } },
          },
          ...problems(),
        },
      },
    },
    async (_request, reply) => reply.type(deps.metrics.type).send(await deps.metrics.text()),
  );
};

async function redis({ pingRedis }: Collaborators): Promise<string> {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error('no answer')), SECONDS * 1000).unref();
  });
  return Promise.race([pingRedis(), late]).then(
    () => '',
    () => 'Redis does not answer',
  );
}

async function storage({ store, limits }: Collaborators): Promise<string> {
  try {
    const free = await store.free();
    return free === undefined || free >= limits.freeBytes
      ? ''
      : `only ${free} bytes of disk space are left, ${limits.freeBytes} are wanted`;
  } catch (error) {
    return `the storage cannot be used (${(error as Error).message})`;
  }
}
