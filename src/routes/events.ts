/** @file GET /v1/jobs/{id}/events: server-sent events, resumable. */

import { Readable } from 'node:stream';
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
      const { tenant } = request;
      // Nothing else of the job is kept while the stream lasts.
      const { id } = await findJob(deps, tenant, request.params.id);
      const after = request.headers['last-event-id'] ?? request.query.lastEventId ?? '';
      const signal = AbortSignal.any([clientGone(reply), deps.closing]);
      reply.type('text/event-stream; charset=utf-8').header('cache-control', 'no-store');
      reply.header('x-accel-buffering', 'no'); // nginx: pass each event on at once
      const source = blocks(deps, { tenant, id }, after, signal);
      return reply.send(streamOf(source, signal, request.log));
    },
  );
};

async function* blocks(
  deps: Collaborators,
  job: Pick<JobRecord, 'tenant' | 'id'>,
  after: string,
  signal: AbortSignal,
): AsyncGenerator<string> {
  yield `retry: ${RETRY_MS}\n\n`;
  const trimmed = after !== '' && (await deps.events.trimmed(job.id, after));
  const now = trimmed ? await deps.service.jobs.get(job.tenant, job.id) : undefined;
  if (now) yield `event: snapshot\ndata: ${JSON.stringify((await shown(deps, now)).view)}\n\n`;
  for await (const { id, data } of eventsOf(deps, job, trimmed ? '' : after, signal))
    yield `id: ${id}\nevent: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The blocks, with comments in between; a client that reads slowly slows the reading of events. */
export function streamOf(
  source: AsyncIterable<string>,
  signal: AbortSignal,
  log: { warn(facts: object, message: string): void },
): Readable {
  const stream = new EventStream();
  stream.pump(source, signal).catch((error: Error) => {
    log.warn({ err: error }, 'a stream of events broke off');
    stream.push(null);
  });
  return stream;
}

/** Thousands of these may be open: one clock serves all, and nothing is kept that is not needed. */
class EventStream extends Readable {
  #room: (() => void) | undefined;

  override _read(): void {
    this.#room?.();
  }

  /** Push block after block, waiting for room where the client is slow; until the source or the signal ends it. */
  async pump(source: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
    const leave = () => this.#room?.();
    signal.addEventListener('abort', leave, { once: true });
    OPEN.add(this);
    try {
      for await (const block of source) {
        if (this.push(block)) continue;
        await new Promise<void>((resolve) => {
          this.#room = resolve;
          if (signal.aborted) resolve();
        });
        this.#room = undefined;
      }
    } finally {
      OPEN.delete(this);
      signal.removeEventListener('abort', leave);
    }
    this.push(null);
  }
}

const OPEN = new Set<EventStream>();

setInterval(() => {
  for (const stream of OPEN) if (stream.readableLength === 0) stream.push(':\n\n');
}, COMMENT_MS).unref();
