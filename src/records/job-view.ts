/** @file What a client reads of a record. */

import type { JobView } from '../contract/job-view.ts';
import type { JobRecord } from './job-record.ts';

/** The view without its links: also the `data` of webhooks. */
export function viewWithoutLinks(
  job: JobRecord,
  queuePosition: number | null,
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
    error: job.error,
    priority: job.spec.priority ?? 'normal',
    expiresAt: job.expiresAt,
    cachedFrom: job.cachedFrom,
    queuePosition,
    attempt: job.attempt,
    createdAt: job.createdAt,
    startedAt: job.startedAt,
    finishedAt: job.finishedAt,
    labels: { ...job.labels },
  };
}

/** @param queuePosition jobs before this one; null where it does not wait */
export function viewOf(job: JobRecord, queuePosition: number | null): JobView {
  const self = `/v1/jobs/${job.id}`;
  return {
    ...viewWithoutLinks(job, queuePosition),
    links: {
      self,
      events: `${self}/events`,
      artifacts: `${self}/artifacts`,
      cancel: `${self}/cancel`,
      retry: `${self}/retry`,
    },
  };
}
