/** @file POST /v1/jobs: accept a job, with its files or naming them. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';

import { digestOfJson } from '../contract/canonical-json.ts';
import { ServiceError } from '../contract/errors.ts';
import { JobRequest, JobSpec } from '../contract/job.ts';
import type { JobView } from '../contract/job-view.ts';
import { installMultipart } from '../plugins/bodies.ts';
import type { Turn } from '../records/idempotency.ts';
import { TERMINAL } from '../records/job-record.ts';
import { clientGone } from './client-gone.ts';
import type { Collaborators } from './collaborators.ts';
import { datasetView } from './datasets.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { modelView } from './models.ts';
import { withinQuota } from './receive.ts';
import { type ReceivedFiles, receiveJob } from './receive-job.ts';
import { JobRef, problems, query, wait } from './schemas.ts';
import { showJob, waitAsked } from './show-job.ts';
import { plannedSpec, prepare, queue, type Submission } from './submission.ts';

const file = { type: 'string', format: 'binary' };

const body = {
  content: {
    'application/json': { schema: JobRequest },
    'multipart/form-data': {
      schema: {
        type: 'object',
        description: 'The parts in this order.',
        required: ['spec', 'model'],
        properties: { spec: JobRequest, model: file, dataset: file },
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
        headers: Type.Object({
          prefer: Type.Optional(Type.String()),
          'idempotency-key': Type.Optional(
            Type.String({
              description:
                'The same key and payload again, within a day: the same job and the same answer.',
            }),
          ),
        }),
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
            ...(['UNSUPPORTED_MEDIA_TYPE', 'SPEC_INVALID'] as const),
            ...(['IDEMPOTENCY_KEY_REUSED', 'IDEMPOTENCY_IN_PROGRESS'] as const),
            ...(['DATASET_REQUIRED', 'SPLIT_MISSING', 'STORAGE_FULL', 'QUOTA_EXCEEDED'] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const key = idempotencyKey(request);
      const { submission, payload } = await submissionOf(request, deps, clientGone(reply));
      if (request.query.dryRun) return reply.code(200).send(planView(submission));
      if (key === undefined) return accept(deps, request, reply, submission);
      const turn = await beginTurn(deps, request, key, payload);
      if ('replay' in turn) {
        reply.header('idempotency-replayed', 'true');
        const { id } = turn.replay.body as JobView;
        reply.header('location', `/v1/jobs/${id}`);
        return reply.code(turn.replay.status as 202).send(turn.replay.body as JobView);
      }
      const id = 'made' in turn ? turn.made : turn.begun;
      return accept(deps, request, reply, submission, id, turn);
    },
  );
};

type Request = Parameters<typeof receiveJob>[0];

function beginTurn(
  { idempotency, service }: Collaborators,
  { tenant }: Request,
  key: string,
  payload: string,
): Promise<Turn> {
  const isMade = async (id: string) => (await service.jobs.get(tenant, id)) !== undefined;
  return idempotency.begin(tenant, 'POST /v1/jobs', key, payload, isMade);
}

/** Make the job, wait for it where that was asked for, and answer. @param id as the idempotency key has it */
async function accept(
  deps: Collaborators,
  request: Request,
  reply: FastifyReply,
  submission: Submission,
  id?: string,
  turn?: Turn,
): Promise<FastifyReply> {
  const { wait: fromQuery } = request.query as { wait?: number };
  const seconds = waitAsked(request, reply, fromQuery);
  const trace = request.traceparent ?? null;
  const job = await queue(deps, request.tenant, submission, id, { trace });
  reply.header('location', `/v1/jobs/${job.id}`);
  delete request.raw.headers['if-none-match']; // a new job has no earlier version
  const { view } = (await showJob(deps, job, seconds, request, reply))!;
  const status = TERMINAL.has(view.status) ? 200 : 202;
  if (turn && 'finish' in turn) await turn.finish({ status, body: view });
  return reply.code(status).send(view);
}

interface Submitted {
  readonly submission: Submission;
  /** Digest of what was sent. */
  readonly payload: string;
}

async function submissionOf(
  request: Request,
  deps: Collaborators,
  signal: AbortSignal,
): Promise<Submitted> {
  if (!request.isMultipart() && request.body === undefined)
    throw new ServiceError('JSON_MALFORMED', { why: 'it is empty' });
  let raw: unknown = request.body;
  const plan = (given: unknown) => {
    raw = given;
    return plannedSpec(given, deps);
  };
  const { spec, files } = request.isMultipart()
    ? await withinQuota(request, deps.quotas, () => receiveJob(request, deps, plan), sizeOf)
    : { spec: await plan(request.body), files: {} as ReceivedFiles };
  const [model, dataset] = [files.model?.upload.digest, files.dataset?.upload.digest];
  const submission = await prepare(deps, request.tenant, spec, files, signal);
  return { submission, payload: digestOfJson({ spec: raw, model, dataset }) };
}

const sizeOf = ({ files: { model, dataset } }: { readonly files: ReceivedFiles }) =>
  (model?.upload.bytes ?? 0) + (dataset?.upload.bytes ?? 0);

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
