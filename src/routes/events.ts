/** @file GET /v1/jobs/{id}/events: server-sent events, resumable. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import type { JobRecord } from '../records/job-record.ts';
import type { Collaborators } from './collaborators.ts';
import { blockOf, type Streaming } from './event-stream.ts';
import { findJob } from './find-job.ts';
import { JobListener } from './job-listener.ts';
import { bytes, JobParams, problems, query } from './schemas.ts';
import { shown } from './show-job.ts';

/** How soon a client may come back, in milliseconds. */
const RETRY_MS = 2000;

export const eventRoutes: FastifyPluginAsyncTypebox<Collaborators & Streaming> = async (
  app,
  deps,
) => {
  app.get(
    '/jobs/:id/events',
    {
      schema: {
        operationId: 'followJob',
        summary: 'Follow a job: server-sent events',
        description:
          'Events `state`, `stage`, `progress`, `metric`, `log`. `Last-Event-ID` resumes; where it was trimmed, the first event is `snapshot` with the job. The stream ends after the terminal event.',
        tags: ['jobs'],
        params: JobParams,
        querystring: query({
          lastEventId: Type.Optional(Type.String({ description: 'As the header Last-Event-ID.' })),
        }),
        headers: Type.Object({ 'last-event-id': Type.Optional(Type.String()) }),
        response: {
          200: bytes('Events until the job has ended.', 'text/event-stream'),
          ...problems('JOB_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const { tenant, log } = request;
      const { id } = await findJob(deps, tenant, request.params.id);
      const after = request.headers['last-event-id'] ?? request.query.lastEventId ?? '';
      const snapshot = await snapshotOf(deps, { tenant, id }, after);
      const stream = deps.streams.open(reply);
      await stream.write(`retry: ${RETRY_MS}\n\n${snapshot}`);
      new JobListener(deps, { tenant, id }, snapshot === '' ? after : '', stream, log).wake();
    },
  );
};

/** Where events after the last known one may have been dropped: the job as it stands; else ''. */
async function snapshotOf(
  deps: Collaborators,
  { tenant, id }: Pick<JobRecord, 'tenant' | 'id'>,
  after: string,
): Promise<string> {
  if (after === '' || !(await deps.events.trimmed(id, after))) return '';
  const now = await deps.service.jobs.get(tenant, id);
  return now ? blockOf('snapshot', (await shown(deps, now)).view) : '';
}
