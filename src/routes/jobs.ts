/** @file /v1/jobs: list, read, cancel, retry, delete. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { DIGEST_PATTERN } from '../contract/digest.ts';
import { type ErrorCode, ServiceError } from '../contract/errors.ts';
import { JOB_ID_PATTERN } from '../contract/ids.ts';
import { isInstant, noInstant } from '../contract/instant.ts';
import { STATUSES } from '../contract/job.ts';
import { installIgnoredBodies } from '../plugins/bodies.ts';
import { type JobRecord, TERMINAL } from '../records/job-record.ts';
import type { Collaborators } from './collaborators.ts';
import { findJob } from './find-job.ts';
import { JobParams, JobRef, limit, nothing, page, problems, query, wait } from './schemas.ts';
import { showJob, shown, waitAsked } from './show-job.ts';

const time = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: '^\\d{4}-\\d\\d-\\d\\d(T\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?(Z|[+-]\\d\\d:?\\d\\d))?$',
      description: `ISO 8601: ${description}`,
    }),
  );

const Filters = query({
  limit,
  cursor: Type.Optional(Type.String({ pattern: JOB_ID_PATTERN })),
  status: Type.Optional(Type.Enum([...STATUSES])),
  label: Type.Optional(
    Type.Array(Type.String({ pattern: '^[^:=]+[:=].*$' }), {
      description: 'name:value; several must all fit.',
    }),
  ),
  model: Type.Optional(Type.String({ pattern: DIGEST_PATTERN, description: 'Input model.' })),
  createdAfter: time('created at this time or later.'),
  createdBefore: time('created before this time.'),
});

export const jobRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  const { service } = deps;
  installIgnoredBodies(app);

  app.get(
    '/jobs',
    {
      schema: {
        operationId: 'listJobs',
        summary: 'List jobs, newest first',
        tags: ['jobs'],
        querystring: Filters,
        response: { 200: page({ $ref: 'Job#' }, 'A page of jobs.'), ...problems() },
      },
    },
    async ({ tenant, query: { label, createdAfter, createdBefore, ...rest } }) => {
      const found = await service.jobs.list(tenant, {
        ...rest,
        ...(label && { labels: labelsOf(label) }),
        ...(createdAfter && { createdAfter: instant('createdAfter', createdAfter) }),
        ...(createdBefore && { createdBefore: instant('createdBefore', createdBefore) }),
      });
      const items = await Promise.all(found.items.map(async (j) => (await shown(deps, j)).view));
      return { items, nextCursor: found.nextCursor };
    },
  );

  app.get(
    '/jobs/:id',
    {
      schema: {
        operationId: 'getJob',
        summary: 'Read a job, or wait for it',
        description:
          'With `wait` and without `If-None-Match` it answers when the job has ended or the time is up; with `If-None-Match` at the first change, or 304.',
        tags: ['jobs'],
        params: JobParams,
        querystring: query({ wait }),
        headers: Type.Object({
          prefer: Type.Optional(Type.String({ examples: ['wait=30'] })),
          'if-none-match': Type.Optional(Type.String()),
        }),
        response: {
          200: JobRef,
          304: nothing('Unchanged.'),
          ...problems('JOB_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const job = await findJob(deps, request.tenant, request.params.id);
      const seconds = waitAsked(request, reply, request.query.wait);
      const now = await showJob(deps, job, seconds, request, reply);
      return now ? reply.code(200).send(now.view) : reply.code(304).send();
    },
  );

  const change = (
    verb: 'cancel' | 'retry',
    operationId: string,
    summary: string,
    description: string,
    codes: readonly ErrorCode[],
  ) =>
    app.post(
      `/jobs/:id/${verb}`,
      {
        schema: {
          operationId,
          summary,
          description,
          tags: ['jobs'],
          params: JobParams,
          response: { 202: JobRef, 200: JobRef, ...problems('JOB_NOT_FOUND', ...codes) },
        },
      },
      async ({ tenant, params: { id } }, reply) => {
        await findJob(deps, tenant, id);
        const job = await service[verb](tenant, id);
        if (!job) throw new ServiceError('JOB_NOT_FOUND', { id });
        const { view, etag } = await shown(deps, job);
        return reply
          .code(TERMINAL.has(job.status) ? 200 : 202)
          .header('etag', etag)
          .send(view);
      },
    );

  change(
    'cancel',
    'cancelJob',
    'Cancel a job',
    'Idempotent. 202: it is running and will stop within seconds; 200: it has ended.',
    [],
  );
  change(
    'retry',
    'retryJob',
    'Queue a failed or cancelled job again',
    'It resumes after its last finished stage.',
    ['JOB_NOT_FINISHED', 'JOB_SUCCEEDED'],
  );

  app.delete(
    '/jobs/:id',
    {
      schema: {
        operationId: 'deleteJob',
        summary: 'Cancel a job and forget it, with its files',
        tags: ['jobs'],
        params: JobParams,
        response: {
          204: nothing('Forgotten.'),
          202: { ...JobRef, description: 'It is running: forgotten as soon as it has stopped.' },
          ...problems('JOB_NOT_FOUND'),
        },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      await findJob(deps, tenant, id);
      await service.cancel(tenant, id);
      await deps.purge(tenant, id);
      const left: JobRecord | undefined = await service.jobs.get(tenant, id);
      if (!left) return reply.code(204).send();
      return reply.code(202).send((await shown(deps, left)).view);
    },
  );
};

/** @throws REQUEST_INVALID */
function instant(name: string, text: string): string {
  if (isInstant(text)) return new Date(text).toISOString();
  const fault = { pointer: `querystring/${name}`, detail: noInstant(text) };
  throw new ServiceError('REQUEST_INVALID', { errors: [fault] });
}

const labelsOf = (labels: readonly string[]) =>
  Object.fromEntries(
    labels.map((label) => {
      const [, name = '', value = ''] = /^([^:=]+)[:=](.*)$/s.exec(label) ?? [];
      return [name, value];
    }),
  );
