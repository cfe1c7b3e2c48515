/** @file Sweeps: one model, many specs; what is POSTed, and what is read back. */

import { type Static, type TSchema, Type } from 'typebox';

import { JobSpec, STATUSES } from './job.ts';
import { FinalFigures, JobError } from './job-view.ts';

/** Jobs of one sweep. */
export const MOST_POINTS = 256;

/** What is wanted least of, or for `metric` most of. */
export const RANKS = ['bytes', 'latency', 'metric'] as const;

const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const time = () => Type.String({ format: 'date-time', description: 'ISO 8601, UTC.' });
const point = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description });

/** The fields of a job that hold for every point, and what differs. */
export const SweepSpec = Type.Object(
  {
    ...Type.Partial(JobSpec).properties,
    grid: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^/' }),
        Type.Array(Type.Unknown(), { minItems: 1, maxItems: MOST_POINTS }),
        {
          minProperties: 1,
          maxProperties: 8,
          additionalProperties: false,
          description:
            'JSON Pointer into the job spec → its values, such as "/stages/1/target/macs": [0.5, 0.7]: every combination is a job.',
        },
      ),
    ),
    specs: Type.Optional(
      Type.Array(Type.Record(Type.String(), Type.Unknown()), {
        minItems: 1,
        maxItems: MOST_POINTS,
        description: 'Fields of the job spec, one list entry per job: they replace those above.',
      }),
    ),
    rankBy: Type.Optional(
      Type.Enum([...RANKS], {
        default: 'bytes',
        description:
          'Of the jobs that meet `accept`, the best has least bytes, least latency or the highest metric.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type SweepSpec = Static<typeof SweepSpec>;

export const SweepJob = Type.Object({
  id: Type.String({ description: 'The job: GET /v1/jobs/{id}.' }),
  point: point('What differs: JSON Pointer → value, or the fields of its entry of `specs`.'),
  status: Type.Union([Type.Enum([...STATUSES]), Type.Literal('deleted')]),
  outcome: nullable(Type.Enum(['pass', 'rejected'])),
  progress: Type.Number({ minimum: 0, maximum: 1 }),
  final: nullable(FinalFigures),
  error: nullable(JobError),
  onFront: Type.Boolean({
    description: 'No other job is better in one figure and no worse in any.',
  }),
});
export type SweepJob = Static<typeof SweepJob>;

export const SweepView = Type.Object(
  {
    id: Type.String({ description: 'swp_<32 hex>' }),
    status: Type.Enum(['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'], {
      description:
        'Of the whole: `succeeded` once all jobs have ended and one has succeeded; else `cancelled` or `failed`.',
    }),
    progress: Type.Number({ minimum: 0, maximum: 1, description: 'Mean of the jobs.' }),
    model: nullable(Type.String()),
    rankBy: Type.Enum([...RANKS]),
    counts: Type.Record(Type.String(), Type.Integer(), { description: 'Jobs by status.' }),
    jobs: Type.Array(SweepJob, { description: 'In the order of the grid or list.' }),
    front: Type.Array(Type.String(), {
      description:
        'Pareto front: ids of the jobs that no other beats, over bytes, latency and metric; by bytes.',
    }),
    best: nullable(
      Type.String({ description: 'The job that ranks first of those that meet `accept`.' }),
    ),
    labels: Type.Record(Type.String(), Type.String()),
    createdAt: time(),
    finishedAt: nullable(time()),
    links: Type.Object({
      self: Type.String(),
      events: Type.String(),
      chart: Type.String(),
      cancel: Type.String(),
    }),
  },
  { $id: 'Sweep' },
);
export type SweepView = Static<typeof SweepView>;
