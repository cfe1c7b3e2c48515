/** @file GET /v1/jobs/{id}/events: server-sent events, resumable. */

import { PassThrough } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import type { JobRecord } from '../records/job-record.ts';
import { clientGone } from './client-gone.ts';
import type { Collaborators } from './collaborators.ts';
import { findJob } from './find-job.ts';
import { bytes, JobParams, problems, query } from './schemas.ts';
import { shown } from './show-job.ts';
import { eventsOf } from './watch-job.ts';

/** Proxies close connections that are silent for longer. */
const COMMENT_MS = 15_000;

/** How soon a client may come back, in milliseconds. */
const RETRY_MS = 2000;

export const eventRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
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
      const job = await findJob(deps, request.tenant, request.params.id);
      const after = request.headers['last-event-id'] ?? request.query.lastEventId ?? '';
      const signal = AbortSignal.any([clientGone(reply), deps.closing]);
      reply.type('text/event-stream; charset=utf-8').header('cache-control', 'no-store');
      reply.header('x-accel-buffering', 'no'); // nginx: pass each event on at once
      return reply.send(streamOf(blocks(deps, job, after, signal), signal, request.log));
    },
  );
};

async function* blocks(
  deps: Collaborators,
  job: JobRecord,
  after: string,
  signal: AbortSignal,
): AsyncGenerator<string> {
  yield `retry: ${RETRY_MS}\n\n`;
  const trimmed = after !== '' && (await deps.events.trimmed(job.id, after));
  if (trimmed) yield `event: snapshot\ndata: ${JSON.stringify((await shown(deps, job)).view)}\n\n`;
  for await (const { id, data } of eventsOf(deps, job, trimmed ? '' : after, signal))
    yield `id: ${id}\nevent: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The blocks, with comments in between; a client that reads slowly slows the reading of events. */
export function streamOf(
  source: AsyncIterable<string>,
  signal: AbortSignal,
  log: { warn(facts: object, message: string): void },
): PassThrough {
  const stream = new PassThrough();
  const clock = setInterval(() => stream.write(':\n\n'), COMMENT_MS);
  const room = () =>
    new Promise<void>((resolve) => {
      stream.once('drain', resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  const pump = async () => {
    for await (const block of source) if (!stream.write(block)) await room();
  };
  pump()
    .catch((error: Error) => log.warn({ err: error }, 'a stream of events broke off'))
    .finally(() => {
      clearInterval(clock);
      stream.end();
    });
  return stream;
}
