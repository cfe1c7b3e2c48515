/** @file GET /v1/sweeps/{id}/events: server-sent events about a sweep as a whole. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import type { SweepView } from '../contract/sweep.ts';
import type { SweepRecord } from '../records/sweeps.ts';
import type { Collaborators } from './collaborators.ts';
import { blockOf, type EventStream, type Streaming } from './event-stream.ts';
import { bytes, problems } from './schemas.ts';
import { findSweep } from './sweeps.ts';
import { hasEnded, viewsOf } from './watch-sweep.ts';

export const sweepEventRoutes: FastifyPluginAsyncTypebox<Collaborators & Streaming> = async (
  app,
  deps,
) => {
  app.get(
    '/sweeps/:id/events',
    {
      schema: {
        operationId: 'followSweep',
        summary: 'Follow a sweep: server-sent events',
        description:
          'First `snapshot` with the sweep; then `job` when a job changes its status, `progress`, and at the end `state` with the sweep. Who comes back gets a new snapshot. Each job has events of its own.',
        tags: ['sweeps'],
        params: Type.Object({ id: Type.String({ description: 'swp_<32 hex>' }) }),
        response: {
          200: bytes('Events until the sweep has ended.', 'text/event-stream'),
          ...problems('SWEEP_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const sweep = await findSweep(deps, request.tenant, request.params.id);
      const stream = deps.streams.open(reply);
      const gone = new AbortController();
      stream.whenEnded(() => gone.abort());
      follow(deps, sweep, stream, gone.signal)
        .catch((error) => request.log.warn({ err: error }, 'a stream of events broke off'))
        .finally(() => stream.end());
    },
  );
};

async function follow(
  deps: Collaborators,
  sweep: SweepRecord,
  stream: EventStream,
  signal: AbortSignal,
): Promise<void> {
  for await (const text of blocks(deps, sweep, signal)) await stream.write(text);
}

async function* blocks(
  deps: Collaborators,
  sweep: SweepRecord,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let before: SweepView | undefined;
  for await (const view of viewsOf(deps, sweep, signal)) {
    if (!before) yield blockOf('snapshot', view);
    else yield* differences(before, view);
    if (hasEnded(view)) yield blockOf('state', view);
    before = view;
  }
}

function* differences(before: SweepView, now: SweepView): Generator<string> {
  const at = new Date().toISOString();
  for (const [i, { id, status, outcome }] of now.jobs.entries())
    if (status !== before.jobs[i]?.status)
      yield blockOf('job', { sweep: now.id, at, id, status, outcome });
  const { id: sweep, progress, front, best } = now;
  if (progress !== before.progress) yield blockOf('progress', { sweep, at, progress, front, best });
}
