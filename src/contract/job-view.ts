/** @file What a client reads of a job. */

import { type Static, type TSchema, Type } from 'typebox';

import { AcceptCheck } from './accept.ts';
import { PRIORITIES, STATUSES, TASK_NAMES } from './job.ts';
import { Preprocess } from './preprocess.ts';
import { Requires } from './requires.ts';

const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const time = () => Type.String({ format: 'date-time', description: 'ISO 8601, UTC.' });

export const StageView = Type.Object({
  stage: Type.String(),
  status: Type.Enum(['waiting', 'running', 'finished', 'failed', 'cancelled']),
  progress: Type.Number({ minimum: 0, maximum: 1 }),
  startedAt: nullable(time()),
  finishedAt: nullable(time()),
  input: nullable(Type.String({ description: 'Digest of the model that the stage was given.' })),
  output: nullable(Type.String({ description: 'Digest of the model that it made.' })),
  metrics: nullable(Type.Record(Type.String(), Type.Number())),
});

export const JobError = Type.Object({
  code: Type.String(),
  detail: Type.String(),
  stage: nullable(Type.String({ description: 'The stage that failed; null: none was running.' })),
  retryable: Type.Boolean(),
});

/** What the last model came to: the report has the rest. */
export const FinalFigures = Type.Object({
  headline: Type.String({ description: 'The metric that counts: map50_95, top1 or agreement.' }),
  metrics: Type.Record(Type.String(), Type.Number(), { description: 'On the val split.' }),
  drop: nullable(Type.Number({ description: 'Loss of the headline metric, absolute.' })),
  agreement: nullable(Type.Number({ description: 'With the input model, 0…1.' })),
  speedup: nullable(Type.Number({ description: 'Latency of the input model / of this one.' })),
  latencyMs: nullable(Type.Number({ description: 'Median, batch 1, on the worker.' })),
  compression: Type.Number({ description: 'Bytes before / after.' }),
  bytes: Type.Integer(),
  params: Type.Integer(),
  macs: Type.Integer(),
});
export type FinalFigures = Static<typeof FinalFigures>;

export const Links = Type.Object({
  self: Type.String(),
  events: Type.String(),
  artifacts: Type.String(),
  cancel: Type.String(),
  retry: Type.String(),
});

export const JobView = Type.Object(
  {
    id: Type.String(),
    status: Type.Enum([...STATUSES]),
    outcome: nullable(Type.Enum(['pass', 'rejected'])),
    progress: Type.Number({ minimum: 0, maximum: 1, description: 'Of the whole job.' }),
    estimatedSecondsLeft: nullable(Type.Number()),
    model: nullable(Type.String()),
    dataset: nullable(Type.String()),
    task: nullable(Type.Enum([...TASK_NAMES])),
    preprocess: nullable(Preprocess),
    stages: Type.Array(StageView),
    checks: nullable(
      Type.Array(AcceptCheck, { description: 'How each acceptance limit came out.' }),
    ),
    final: nullable(FinalFigures),
    error: nullable(JobError),
    priority: Type.Enum([...PRIORITIES]),
    expiresAt: nullable(time()),
    sweep: nullable(Type.String({ description: 'The sweep that it belongs to.' })),
    cachedFrom: nullable(
      Type.String({ description: 'The job whose result this is: nothing was run; null: it ran.' }),
    ),
    queuePosition: nullable(
      Type.Integer({ description: 'Jobs of your tenant before this one; null: it does not wait.' }),
    ),
    waitReason: nullable(
      Type.String({ description: 'Why no worker can take it now, in words; null: one can.' }),
    ),
    requires: Requires,
    attempt: Type.Integer({ minimum: 1 }),
    createdAt: time(),
    startedAt: nullable(time()),
    finishedAt: nullable(time()),
    labels: Type.Record(Type.String(), Type.String()),
    links: Links,
  },
  { $id: 'Job' },
);
export type JobView = Static<typeof JobView>;
