/** @file POST /v1/jobs: accept a job, with its files or naming them. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import { JobSpec } from '../contract/job.ts';
import { installMultipart } from '../plugins/bodies.ts';
import { TERMINAL } from '../records/job-record.ts';
import { clientGone } from './client-gone.ts';
import type { Collaborators } from './collaborators.ts';
import { datasetView } from './datasets.ts';
import { modelView } from './models.ts';
import { receiveJob } from './receive-job.ts';
import { JobRef, problems, query, wait } from './schemas.ts';
import { showJob, waitAsked } from './show-job.ts';
import { plannedSpec, prepare, queue, type Submission } from './submission.ts';

const file = { type: 'string', format: 'binary' };

const body = {
  content: {
    'application/json': { schema: JobSpec },
    'multipart/form-data': {
      schema: {
        type: 'object',
        description: 'The parts in this order.',
        required: ['spec', 'model'],
        properties: { spec: JobSpec, model: file, dataset: file },
      },
    },
  },
};

const Plan = Type.Object({
  dryRun: Type.Literal(true),
  spec: Type.Unsafe<JobSpec>({ ...JobSpec, description: 'With every default filled in.' }),
  model: Type.Unsafe<unknown>({ $ref: 'Model#' }),
  dataset: Type.Union([Type.Unsafe<unknown>({ $ref: 'Dataset#' }), Type.Null()]),
});

export const submitRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  await installMultipart(app);

  app.post(
    '/jobs',
    {
      schema: {
        operationId: 'submitJob',
        summary: 'Queue a compression job',
        description:
          'As JSON, naming a model and a data set that were uploaded before, or as multipart/form-data with the files: one call from files to job id.',
        tags: ['jobs'],
        consumes: ['application/json', 'multipart/form-data'],
        querystring: query({
          dryRun: Type.Optional(
            Type.Boolean({ description: 'Validate and expand; queue nothing, keep nothing.' }),
          ),
          wait,
        }),
        headers: Type.Object({ prefer: Type.Optional(Type.String()) }),
        body,
        response: {
          202: JobRef,
          200: {
            description: 'With `dryRun`: the plan. With `wait`: the finished job.',
            anyOf: [JobRef, Plan],
          },
          ...problems(
            ...(['JSON_MALFORMED', 'MULTIPART_INVALID', 'UPLOAD_INCOMPLETE'] as const),
            ...(['MODEL_NOT_FOUND', 'DATASET_NOT_FOUND', 'PAYLOAD_TOO_LARGE'] as const),
            ...(['UNSUPPORTED_MEDIA_TYPE', 'SPEC_INVALID', 'NOT_YET_SUPPORTED'] as const),
            ...(['DATASET_REQUIRED', 'SPLIT_MISSING', 'STORAGE_FULL'] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const { tenant } = request;
      const submission = await submissionOf(request, deps, clientGone(reply));
      if (request.query.dryRun) return reply.code(200).send(planView(submission));
      const seconds = waitAsked(request, reply, request.query.wait);
      const job = await queue(deps, tenant, submission);
      reply.header('location', `/v1/jobs/${job.id}`);
      delete request.raw.headers['if-none-match']; // a new job has no earlier version
      const { view } = (await showJob(deps, job, seconds, request, reply))!;
      return reply.code(TERMINAL.has(view.status) ? 200 : 202).send(view);
    },
  );
};

type Request = Parameters<typeof receiveJob>[0];

async function submissionOf(
  request: Request,
  deps: Collaborators,
  signal: AbortSignal,
): Promise<Submission> {
  if (request.isMultipart()) {
    const { spec, files } = await receiveJob(request, deps, (raw) => plannedSpec(raw, deps));
    return prepare(deps, request.tenant, spec, files, signal);
  }
  if (request.body === undefined) throw new ServiceError('JSON_MALFORMED', { why: 'it is empty' });
  const spec = await plannedSpec(request.body, deps);
  return prepare(deps, request.tenant, spec, {}, signal);
}

const planView = ({ spec, model, dataset }: Submission) => ({
  dryRun: true as const,
  spec: withoutSecret(spec),
  model: modelView(model),
  dataset: dataset ? datasetView(dataset) : null,
});

function withoutSecret(spec: JobSpec): JobSpec {
  if (!spec.webhook) return spec;
  const { secret: _, ...webhook } = spec.webhook;
  return { ...spec, webhook };
}
