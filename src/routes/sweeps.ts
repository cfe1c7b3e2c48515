/** @file /v1/sweeps: many specs over one model, as one thing. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';

import { digestOfJson } from '../contract/canonical-json.ts';
import { ServiceError } from '../contract/errors.ts';
import { newSweepId, SWEEP_ID_PATTERN } from '../contract/ids.ts';
import { JobSpec } from '../contract/job.ts';
import { SweepSpec, type SweepView } from '../contract/sweep.ts';
import { installIgnoredBodies } from '../plugins/bodies.ts';
import type { SweepRecord } from '../records/sweeps.ts';
import { chart } from '../sweeps/chart.ts';
import { clientGone } from './client-gone.ts';
import type { Collaborators } from './collaborators.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { makeSweep, type PlannedPoint, planSweep } from './make-sweep.ts';
import { bytes, limit, nothing, page, problems, query, wait } from './schemas.ts';
import { waitAsked } from './show-job.ts';
import { waitForSweep } from './watch-sweep.ts';

const SweepRef = Type.Unsafe<SweepView>({ $ref: 'Sweep#' });
const SweepParams = Type.Object({
  id: Type.String({ description: 'swp_<32 hex>', examples: [`swp_${'0'.repeat(32)}`] }),
});
const Plan = Type.Object({
  dryRun: Type.Literal(true),
  jobs: Type.Array(
    Type.Object({
      point: Type.Record(Type.String(), Type.Unknown()),
      spec: Type.Unsafe<JobSpec>({ ...JobSpec, description: 'With every default filled in.' }),
    }),
  ),
});
const tags = ['sweeps'];

export async function findSweep(
  { sweeps }: Pick<Collaborators, 'sweeps'>,
  tenant: string,
  id: string,
): Promise<SweepRecord> {
  const sweep = new RegExp(SWEEP_ID_PATTERN).test(id) ? await sweeps.get(tenant, id) : undefined;
  if (!sweep) throw new ServiceError('SWEEP_NOT_FOUND', { id });
  return sweep;
}

export const sweepRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  const { sweeps } = deps;

  app.post(
    '/sweeps',
    {
      schema: {
        operationId: 'submitSweep',
        summary: 'Queue a job for every point of a grid, or for every entry of a list',
        description:
          'Jobs whose first stages are the same share their results: one computes, the others go on from there. All specs are checked before any job is made.',
        tags,
        querystring: query({
          dryRun: Type.Optional(
            Type.Boolean({ description: 'Validate and expand; queue nothing.' }),
          ),
        }),
        headers: Type.Object({
          'idempotency-key': Type.Optional(
            Type.String({
              description: 'The same key and payload again, within a day: the same sweep.',
            }),
          ),
        }),
        body: SweepSpec,
        response: {
          202: SweepRef,
          200: { description: 'With `dryRun`: the plan.', ...Plan },
          ...problems(
            ...(['JSON_MALFORMED', 'SPEC_INVALID', 'MODEL_NOT_FOUND'] as const),
            ...([
              'DATASET_NOT_FOUND',
              'DATASET_REQUIRED',
              'SPLIT_MISSING',
              'UNSUPPORTED_MEDIA_TYPE',
            ] as const),
            ...(['IDEMPOTENCY_KEY_REUSED', 'IDEMPOTENCY_IN_PROGRESS', 'QUOTA_EXCEEDED'] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const raw: unknown = request.body;
      if (raw === undefined) throw new ServiceError('JSON_MALFORMED', { why: 'it is empty' });
      const planned = await planSweep(deps, request.tenant, raw, clientGone(reply));
      if (request.query.dryRun) return reply.code(200).send(planView(planned));
      const view = await sweeps.view(await made(deps, request, raw as SweepSpec, planned));
      return reply.code(202).header('location', view.links.self).send(view);
    },
  );

  app.get(
    '/sweeps',
    {
      schema: {
        operationId: 'listSweeps',
        summary: 'List sweeps, newest first',
        tags,
        querystring: query({
          limit,
          cursor: Type.Optional(Type.String({ pattern: SWEEP_ID_PATTERN })),
        }),
        response: { 200: page({ $ref: 'Sweep#' }, 'A page of sweeps.'), ...problems() },
      },
    },
    async ({ tenant, query: { limit: most = 50, cursor } }) => {
      const found = await sweeps.list(tenant, most, cursor);
      const items = await Promise.all(found.items.map((sweep) => sweeps.view(sweep)));
      return { items, nextCursor: found.nextCursor };
    },
  );

  app.get(
    '/sweeps/:id',
    {
      schema: {
        operationId: 'getSweep',
        summary: 'Read a sweep, or wait for its end',
        tags,
        params: SweepParams,
        querystring: query({ wait }),
        response: { 200: SweepRef, ...problems('SWEEP_NOT_FOUND') },
      },
    },
    async (request, reply) => {
      const sweep = await findSweep(deps, request.tenant, request.params.id);
      const seconds = waitAsked(request, reply, request.query.wait);
      return waitForSweep(deps, sweep, seconds, clientGone(reply));
    },
  );

  app.get(
    '/sweeps/:id/chart.svg',
    {
      schema: {
        operationId: 'chartSweep',
        summary: 'The jobs of a sweep and their Pareto front, as a picture',
        tags,
        params: SweepParams,
        response: { 200: bytes('The chart.', 'image/svg+xml'), ...problems('SWEEP_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      const view = await sweeps.view(await findSweep(deps, tenant, id));
      return reply.type('image/svg+xml').header('cache-control', 'no-cache').send(chart(view));
    },
  );
};

/** How a sweep ends before its time. */
export const sweepEndRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  const { sweeps } = deps;
  installIgnoredBodies(app);

  app.post(
    '/sweeps/:id/cancel',
    {
      schema: {
        operationId: 'cancelSweep',
        summary: 'Cancel every job of a sweep that has not ended',
        description: 'Idempotent.',
        tags,
        params: SweepParams,
        response: { 202: SweepRef, ...problems('SWEEP_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      const sweep = await findSweep(deps, tenant, id);
      await sweeps.cancel(sweep);
      return reply.code(202).send(await sweeps.view(sweep));
    },
  );

  app.delete(
    '/sweeps/:id',
    {
      schema: {
        operationId: 'deleteSweep',
        summary: 'Cancel a sweep and forget it, with its jobs and their files',
        tags,
        params: SweepParams,
        response: { 204: nothing('Forgotten.'), ...problems('SWEEP_NOT_FOUND') },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      const sweep = await findSweep(deps, tenant, id);
      await sweeps.cancel(sweep);
      for (const job of sweep.jobs) await deps.purge(tenant, job.id);
      await sweeps.remove(sweep);
      await reply.code(204).send();
    },
  );
};

const planView = (planned: readonly PlannedPoint[]) => ({
  dryRun: true as const,
  jobs: planned.map(({ point, submission: { spec } }) => {
    const { webhook: _, ...shown } = spec;
    return { point: { ...point }, spec: shown };
  }),
});

/** With an idempotency key its id is chosen once: whoever asks again gets the same sweep, complete. */
async function made(
  deps: Collaborators,
  request: FastifyRequest,
  raw: SweepSpec,
  planned: readonly PlannedPoint[],
): Promise<SweepRecord> {
  const { tenant } = request;
  const trace = request.traceparent ?? null;
  const key = idempotencyKey(request);
  if (key === undefined) return makeSweep(deps, tenant, newSweepId(), raw, planned, trace);
  const idOf = (job: string) => job.replace(/^job_/, 'swp_');
  const never = async () => false; // making it again completes it
  const payload = digestOfJson(raw);
  const turn = await deps.idempotency.begin(tenant, 'POST /v1/sweeps', key, payload, never);
  if ('replay' in turn) return findSweep(deps, tenant, String(turn.replay.body));
  const id = idOf('begun' in turn ? turn.begun : turn.made);
  const sweep = await makeSweep(deps, tenant, id, raw, planned, trace);
  if ('finish' in turn) await turn.finish({ status: 202, body: id });
  return sweep;
}
