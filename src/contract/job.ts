/** @file The one shape of a job: what is POSTed, and what is read back. */

import { type Static, Type } from 'typebox';
import { Accept } from './accept.ts';
import { PreprocessOption } from './preprocess.ts';
import { PRESET_NAMES, PRESETS } from './presets.ts';
import { Requires } from './requires.ts';

export const TASK_NAMES = ['detect', 'classify', 'generic'] as const;
export const STATUSES = [
  'queued',
  'running',
  'cancelling',
  'succeeded',
  'failed',
  'cancelled',
  'expired',
] as const;
export const WEBHOOK_EVENTS = [
  'job.started',
  'job.stage.finished',
  'job.succeeded',
  'job.failed',
  'job.cancelled',
  'job.expired',
] as const;

/** Which queued jobs are taken first. */
export const PRIORITIES = ['high', 'normal', 'low'] as const;

/** What a webhook hears of unless it asks for something else: how its job ended. */
export const WEBHOOK_DEFAULTS = [
  'job.succeeded',
  'job.failed',
  'job.cancelled',
  'job.expired',
] as const;

export const MOST_STAGES = 32;

/** One stage with its options: checked against `openapi/stages.json`, where each stage publishes its own schema. */
export const StageSpec = Type.Object(
  {
    stage: Type.String({ description: 'Name of a stage: see GET /v1/stages.' }),
    model: Type.Optional(Type.String()),
  },
  { additionalProperties: true },
);

export const JobSpec = Type.Object(
  {
    model: Type.Optional(
      Type.String({ description: 'sha256:<64 hex>, or for `lathe run` a path.' }),
    ),
    dataset: Type.Optional(
      Type.String({ description: 'sha256:<64 hex>, or for `lathe run` a path.' }),
    ),
    task: Type.Optional(
      Type.Enum([...TASK_NAMES], { description: 'Default: what inspection finds.' }),
    ),
    preprocess: Type.Optional(PreprocessOption),
    stages: Type.Array(StageSpec, { minItems: 1, maxItems: MOST_STAGES }),
    accept: Type.Optional(Accept),
    latency: Type.Optional(
      Type.Object(
        { threads: Type.Optional(Type.Integer({ minimum: 1, maximum: 256, default: 1 })) },
        { additionalProperties: false },
      ),
    ),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 4294967295, default: 0 })),
    priority: Type.Optional(
      Type.Enum([...PRIORITIES], {
        description: 'Over HTTP: queued jobs of a higher class are taken first. Default: normal.',
      }),
    ),
    expiresAt: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?(Z|[+-]\\d\\d:?\\d\\d)$',
        description:
          'Over HTTP: ISO 8601 with a zone. A job that has not ended by then becomes `expired`.',
      }),
    ),
    cache: Type.Optional(
      Type.Boolean({
        description:
          'Over HTTP: whether an earlier result of the same spec may be the answer. Default: true.',
      }),
    ),
    requires: Type.Optional({
      ...Requires,
      description: 'Over HTTP: what the worker must offer. Default: any worker.',
    }),
    labels: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 256 }))),
    webhook: Type.Optional(
      Type.Object(
        {
          url: Type.String({ maxLength: 2048 }),
          events: Type.Optional(Type.Array(Type.Enum([...WEBHOOK_EVENTS]), { minItems: 1 })),
          secret: Type.Optional(Type.String({ pattern: '^whsec_[A-Za-z0-9+/=]{32,}$' })),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type JobSpec = Static<typeof JobSpec>;

const { stages, ...others } = JobSpec.properties;

/** What is POSTed: a job spec, or one with a preset in the place of its stages. */
export const JobRequest = Type.Object(
  {
    ...others,
    stages: Type.Optional(stages),
    preset: Type.Optional(
      Type.Enum([...PRESET_NAMES], {
        description: `In the place of stages: ${Object.entries(PRESETS)
          .map(([name, { summary }]) => `${name}: ${summary}`)
          .join(' ')} The job view shows the stages it became.`,
      }),
    ),
  },
  { additionalProperties: false },
);
export type StageSpec = Static<typeof StageSpec>;
