/** @file What a client reads of a record. */

import type { JobView } from '../contract/job-view.ts';
import type { JobRecord } from './job-record.ts';

/** Where a job stands that waits, and why nobody can take it. Null: it does not wait, or one can. */
export interface Waiting {
  readonly position: number | null;
  readonly reason: string | null;
}

export const NOT_WAITING: Waiting = { position: null, reason: null };

/** The view without its links: also the `data` of webhooks. */
export function viewWithoutLinks(
  job: JobRecord,
  { position, reason }: Waiting = NOT_WAITING,
): Omit<JobView, 'links'> {
  return {
    id: job.id,
    status: job.status,
    outcome: job.outcome,
    progress: job.progress,
    estimatedSecondsLeft: job.estimatedSecondsLeft,
    model: job.spec.model ?? null,
    dataset: job.spec.dataset ?? null,
    task: job.task,
    preprocess: job.preprocess,
    stages: job.stages.map(({ checkpoint: _, metrics, ...stage }) => ({
      ...stage,
      metrics: metrics && { ...metrics },
    })),
    checks: job.checks && [...job.checks],
    final: job.final,
    error: job.error,
    priority: job.spec.priority ?? 'normal',
    expiresAt: job.expiresAt,
    sweep: job.sweep,
    cachedFrom: job.cachedFrom,
    queuePosition: position,
    waitReason: reason,
    requires: job.spec.requires ?? {},
    attempt: job.attempt,
    createdAt: job.createdAt,
    startedAt: job.startedAt,
    finishedAt: job.finishedAt,
    labels: { ...job.labels },
  };
}

export function viewOf(job: JobRecord, waiting: Waiting = NOT_WAITING): JobView {
  const self = `/v1/jobs/${job.id}`;
  return {
    ...viewWithoutLinks(job, waiting),
    links: {
      self,
      events: `${self}/events`,
      artifacts: `${self}/artifacts`,
      cancel: `${self}/cancel`,
      retry: `${self}/retry`,
    },
  };
}
