/** @file /v1/workers: who works, and who shall take no more jobs. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import type { WorkerView } from '../contract/worker.ts';
import { installIgnoredBodies } from '../plugins/bodies.ts';
import type { Duty } from '../records/workers.ts';
import type { Collaborators } from './collaborators.ts';
import { page, problems } from './schemas.ts';

const WorkerRef = Type.Unsafe<WorkerView>({ $ref: 'Worker#' });
const WorkerParams = Type.Object({ id: Type.String({ description: 'As listed.' }) });

const CHANGES = {
  pause: ['paused', 'Take no more jobs; those at work go on'],
  resume: ['working', 'Take jobs again'],
  drain: ['draining', 'Take no more jobs, and end after those at work'],
} as const satisfies Record<string, readonly [Duty, string]>;

export const workerRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, { workers }) => {
  installIgnoredBodies(app);
  const tags = ['operations'];

  app.get(
    '/workers',
    {
      schema: {
        operationId: 'listWorkers',
        summary: 'The workers that are alive',
        tags,
        response: { 200: page({ $ref: 'Worker#' }, 'All of them.'), ...problems() },
      },
    },
    async () => ({ items: await workers.live(), nextCursor: null }),
  );

  for (const [verb, [duty, summary]] of Object.entries(CHANGES))
    app.post(
      `/workers/:id/${verb}`,
      {
        config: { scope: 'operator' },
        schema: {
          operationId: `${verb}Worker`,
          summary,
          description:
            'Heard at once, at the latest after ten seconds. A draining worker stays so.',
          tags,
          params: WorkerParams,
          response: { 202: WorkerRef, ...problems('WORKER_NOT_FOUND') },
        },
      },
      async ({ params: { id } }, reply) => {
        const worker = await workers.find(id);
        if (!worker) throw new ServiceError('WORKER_NOT_FOUND', { id });
        await workers.want(id, duty);
        return reply.code(202).send(worker);
      },
    );
};
