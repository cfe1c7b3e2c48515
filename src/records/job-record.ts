/** @file What is kept of a job: the truth that polling, events, webhooks and the queue all follow. */

import type { AcceptCheck } from '../contract/accept.ts';
import { ServiceError } from '../contract/errors.ts';
import type { JobSpec, STATUSES, WEBHOOK_EVENTS } from '../contract/job.ts';
import type { FinalFigures } from '../contract/job-view.ts';
import type { Preprocess } from '../contract/preprocess.ts';

export type Status = (typeof STATUSES)[number];
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** No way leads out of these, except `retry` out of `failed` and `cancelled`. */
export const TERMINAL: ReadonlySet<Status> = new Set([
  'succeeded',
  'failed',
  'cancelled',
  'expired',
]);

export interface JobError {
  readonly code: string;
  readonly detail: string;
  /** Name of the stage that failed; null: before the first or after the last. */
  readonly stage: string | null;
  readonly retryable: boolean;
}

export interface StageRecord {
  readonly stage: string;
  readonly status: 'waiting' | 'running' | 'finished' | 'failed' | 'cancelled';
  /** 0…1. */
  readonly progress: number;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** Digest of the model that the stage was given, and of the one it made. */
  readonly input: string | null;
  readonly output: string | null;
  readonly metrics: Readonly<Record<string, number>> | null;
  /** Digest of the stage's checkpoint (its entry of the report, with the stage key): lets another attempt resume. */
  readonly checkpoint: string | null;
}

export interface ArtifactRecord {
  readonly name: string;
  /** sha256:<64 hex> */
  readonly digest: string;
  readonly bytes: number;
}

export interface JobRecord {
  readonly id: string;
  readonly tenant: string;
  readonly status: Status;
  readonly outcome: 'pass' | 'rejected' | null;
  /** Defaults filled in; never with the webhook's secret in it. */
  readonly spec: JobSpec;
  /** File name of the input model, for the report. */
  readonly name: string | null;
  readonly task: 'detect' | 'classify' | 'generic' | null;
  readonly preprocess: Preprocess | null;
  readonly stages: readonly StageRecord[];
  /** Of the whole job, 0…1, never falling within an attempt. */
  readonly progress: number;
  readonly estimatedSecondsLeft: number | null;
  /** What the last model came to, once the job has succeeded. */
  readonly final: FinalFigures | null;
  /** How each acceptance limit came out, once the job has succeeded. */
  readonly checks: readonly AcceptCheck[] | null;
  readonly error: JobError | null;
  /** The run that may write here; raised by every restart, retry and hand-back. */
  readonly attempt: number;
  /** `<id>-<attempt>` of the queue job that carries it now. */
  readonly queueId: string;
  /** The worker that runs this attempt, or ran the last one. */
  readonly worker: string | null;
  /** When it expires, UTC; null: never. */
  readonly expiresAt: string | null;
  /** Its time was up while it ran: once it has stopped it is expired, not cancelled. */
  readonly overdue: boolean;
  /** Names what decides the result; null: it is not to be found by others. */
  readonly resultKey: string | null;
  /** The job whose result this is; null: it ran itself. */
  readonly cachedFrom: string | null;
  /** The sweep that it belongs to. */
  readonly sweep: string | null;
  /** It waits until that job has finished its first so many stages, which are its own too, and goes on from there. */
  readonly after: { readonly job: string; readonly stages: number } | null;
  /** W3C trace context of the request that made it. */
  readonly trace: string | null;
  /** Native crashes so far: the second one is final. */
  readonly crashes: number;
  readonly artifacts: readonly ArtifactRecord[];
  readonly webhook: { readonly url: string; readonly events: readonly WebhookEvent[] } | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** Raised by every change: the strong ETag. */
  readonly version: number;
}

export type NewJob = Pick<JobRecord, 'id' | 'tenant' | 'spec'> &
  Partial<
    Pick<
      JobRecord,
      | 'name'
      | 'task'
      | 'preprocess'
      | 'webhook'
      | 'createdAt'
      | 'resultKey'
      | 'sweep'
      | 'after'
      | 'trace'
    >
  >;

/** A job as it stands before anybody has worked on it. */
export function newJobRecord(job: NewJob): JobRecord {
  const { webhook: _, ...spec } = job.spec;
  return {
    id: job.id,
    tenant: job.tenant,
    status: 'queued',
    outcome: null,
    spec,
    name: job.name ?? null,
    task: job.task ?? null,
    preprocess: job.preprocess ?? null,
    stages: spec.stages.map(({ stage }) => waitingStage(stage)),
    progress: 0,
    estimatedSecondsLeft: null,
    final: null,
    checks: null,
    error: null,
    attempt: 1,
    queueId: `${job.id}-1`,
    worker: null,
    expiresAt: spec.expiresAt === undefined ? null : new Date(spec.expiresAt).toISOString(),
    overdue: false,
    resultKey: job.resultKey ?? null,
    cachedFrom: null,
    sweep: job.sweep ?? null,
    after: job.after ?? null,
    trace: job.trace ?? null,
    crashes: 0,
    artifacts: [],
    webhook: job.webhook ?? null,
    labels: spec.labels ?? {},
    createdAt: job.createdAt ?? new Date().toISOString(),
    startedAt: null,
    finishedAt: null,
    version: 1,
  };
}

/** How a job ends that was stopped: by request, or because its time was up. */
export function stoppedState(job: JobRecord): Pick<JobRecord, 'status' | 'error'> {
  if (!job.overdue) return { status: 'cancelled', error: null };
  const { code, message: detail } = new ServiceError('JOB_EXPIRED', { at: job.expiresAt ?? '' });
  const stage = job.stages.find((s) => s.status === 'running')?.stage ?? null;
  return { status: 'expired', error: { code, detail, stage, retryable: false } };
}

/** Whether the time of a job that has not ended is up. */
export const isOverdue = ({ expiresAt }: JobRecord, now = Date.now()): boolean =>
  expiresAt !== null && Date.parse(expiresAt) <= now;

export function waitingStage(stage: string): StageRecord {
  return {
    stage,
    status: 'waiting',
    progress: 0,
    startedAt: null,
    finishedAt: null,
    input: null,
    output: null,
    metrics: null,
    checkpoint: null,
  };
}
