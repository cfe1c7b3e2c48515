/** @file Taking a job, and giving it up: the changes of its record that a worker makes as a whole. */

import { begun } from '../../src/queue/reconcile.ts';
import {
  isOverdue,
  type JobError,
  type JobRecord,
  stoppedState,
} from '../../src/records/job-record.ts';
import type { Change, Jobs } from '../../src/records/jobs.ts';

const now = () => new Date().toISOString();

/**
 * Make this worker the one whose word counts. A job that was running already (its worker died) starts its next
 * attempt, so that nothing the other may still say is heard.
 *
 * @returns undefined: there is nothing to do (gone, finished, or carried by another queue job)
 */
export async function claim(
  jobs: Jobs,
  id: string,
  queueId: string,
  worker: string,
): Promise<JobRecord | undefined> {
  const job = await jobs.change(id, (j) =>
    j.queueId === queueId ? claimed(j, worker) : undefined,
  );
  return job?.queueId === queueId && job.status === 'running' ? job : undefined;
}

function claimed(job: JobRecord, worker: string): Change | undefined {
  if (job.status === 'cancelling') return { set: cancelled(job) };
  if (job.status !== 'queued' && job.status !== 'running') return undefined;
  if (isOverdue(job)) return { set: cancelled({ ...job, overdue: true }) };
  const attempt = job.status === 'running' ? job.attempt + 1 : job.attempt;
  const startedAt = job.startedAt ?? now();
  return { set: { status: 'running', attempt, worker, startedAt, ...begun(job) } };
}

/** Stopped: by request, or because its time was up. */
export function cancelled(job: JobRecord): Partial<JobRecord> {
  return { ...stoppedState(job), ...over(job, 'cancelled') };
}

export function failed(job: JobRecord, error: JobError): Partial<JobRecord> {
  return { status: 'failed', error, ...over(job, 'failed') };
}

function over(job: JobRecord, status: 'failed' | 'cancelled'): Partial<JobRecord> {
  return {
    finishedAt: now(),
    estimatedSecondsLeft: null,
    stages: job.stages.map((s) =>
      s.status === 'running' ? { ...s, status, finishedAt: now() } : s,
    ),
  };
}
