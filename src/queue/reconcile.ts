/** @file Bring queue and records together again after a crash between the two. */

import { ServiceError } from '../contract/errors.ts';
import { type JobRecord, stoppedState, waitingStage } from '../records/job-record.ts';
import type { Jobs } from '../records/jobs.ts';
import { isHeld } from './held.ts';
import type { JobQueue } from './job-queue.ts';

/**
 * - `queued` without a live queue job (the API died between its two writes): put it on the queue again.
 * - `running` or `cancelling` and its queue job has failed (its workers died too often): settle it; where the
 *   queue job is gone altogether, a running one starts another attempt.
 *
 * Idempotent, and safe beside live APIs and workers: the same queue id twice is one queue job, and every change
 * names the attempt that it was made for.
 *
 * @returns ids that were put back and ids that were settled
 */
export async function reconcile(
  jobs: Jobs,
  queue: JobQueue,
): Promise<{ readonly requeued: string[]; readonly settled: string[] }> {
  const requeued: string[] = [];
  for (const id of await jobs.idsIn('queued')) {
    const job = await jobs.find(id);
    if (job?.status === 'queued' && (await requeue(jobs, queue, job))) requeued.push(id);
  }
  const settled: string[] = [];
  for (const status of ['running', 'cancelling'] as const) {
    for (const id of await jobs.idsIn(status)) {
      const job = await jobs.find(id);
      if (job?.status === status && (await settle(jobs, queue, job))) settled.push(id);
    }
  }
  return { requeued, settled };
}

async function requeue(jobs: Jobs, queue: JobQueue, job: JobRecord): Promise<boolean> {
  const state = await queue.state(job.queueId);
  if (state === 'waiting' || state === 'active' || (await isHeld(jobs, job))) return false;
  if (state === 'missing') {
    await queue.add(job);
    return true;
  }
  // An id in the finished or failed set is ignored when it is added: the job needs a new one.
  const next = await jobs.change(job.id, (now) => renewed(now, job.attempt), job.attempt);
  if (next?.status !== 'queued') return false;
  await queue.add(next);
  return true;
}

const renewed = (now: JobRecord, attempt: number) =>
  now.status === 'queued' && now.attempt === attempt ? { set: nextAttempt(now) } : undefined;

async function settle(jobs: Jobs, queue: JobQueue, job: JobRecord): Promise<boolean> {
  const state = await queue.state(job.queueId);
  const stranded = state === 'active' && (await queue.stranded(job.queueId));
  if (state === 'waiting' || (state === 'active' && !stranded)) return false;
  if ((state === 'missing' || stranded) && job.status === 'running')
    return restart(jobs, queue, job);
  // The worker writes the record first and ends the queue job after: read again before judging.
  const next = await jobs.change(job.id, (now) =>
    now.attempt === job.attempt && now.status === job.status ? { set: lost(now) } : undefined,
  );
  return next !== undefined && next.status !== job.status;
}

/**
 * The queue has lost the job (Redis came back without its last second), or all workers of its kind are gone: run it again
 * from its last finished stage.
 */
async function restart(jobs: Jobs, queue: JobQueue, job: JobRecord): Promise<boolean> {
  const next = await jobs.change(job.id, (now) =>
    now.attempt === job.attempt && now.status === 'running' ? { set: nextAttempt(now) } : undefined,
  );
  if (next?.status !== 'queued') return false;
  await queue.add(next);
  return true;
}

/** What a record becomes when all who could have finished it are gone. */
function lost(job: JobRecord): Partial<JobRecord> {
  const finishedAt = new Date().toISOString();
  if (job.status === 'cancelling') return { ...stoppedState(job), finishedAt, ...stopped(job) };
  return {
    status: 'failed',
    finishedAt,
    ...stopped(job),
    error: {
      code: 'WORKER_LOST',
      detail: new ServiceError('WORKER_LOST', {}).message,
      stage: job.stages.find((s) => s.status === 'running')?.stage ?? null,
      retryable: true,
    },
  };
}

function stopped(job: JobRecord): Pick<JobRecord, 'stages' | 'estimatedSecondsLeft'> {
  const status = job.status === 'cancelling' ? 'cancelled' : 'failed';
  return {
    estimatedSecondsLeft: null,
    stages: job.stages.map((s) => (s.status === 'running' ? { ...s, status } : s)),
  };
}

/** The fields that put a job back to the start of a new attempt; finished stages keep their results. */
export function nextAttempt(job: JobRecord): Partial<JobRecord> {
  const attempt = job.attempt + 1;
  return {
    attempt,
    queueId: `${job.id}-${attempt}`,
    status: 'queued',
    error: null,
    finishedAt: null,
    outcome: null,
    ...begun(job),
  };
}

/** Nothing done yet in this attempt: every stage waits, but for those that are finished for good. */
export function begun(job: JobRecord): Partial<JobRecord> {
  const stages = job.stages.map((s) => (s.status === 'finished' ? s : waitingStage(s.stage)));
  return { progress: 0, estimatedSecondsLeft: null, stages };
}
