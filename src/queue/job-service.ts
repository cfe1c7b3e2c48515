/** @file What the API does with jobs: submit, cancel, retry, delete. Record first, queue second, answer last. */

import { ServiceError } from '../contract/errors.ts';
import { type JobRecord, type NewJob, TERMINAL } from '../records/job-record.ts';
import type { Change, Jobs } from '../records/jobs.ts';
import type { JobQueue } from './job-queue.ts';
import { nextAttempt } from './reconcile.ts';

export class JobService {
  readonly jobs: Jobs;
  readonly queue: JobQueue;

  constructor(jobs: Jobs, queue: JobQueue) {
    this.jobs = jobs;
    this.queue = queue;
  }

  /**
   * Accept a job. Once the record is written the job is safe: where the queue cannot be told now, the
   * reconciler tells it later.
   *
   * @param secret the webhook's own signing secret, sealed
   */
  async submit(job: NewJob, secret = ''): Promise<JobRecord> {
    const record = await this.jobs.create(job, secret);
    await this.#enqueue(record);
    return record;
  }

  /**
   * Idempotent. A queued job is cancelled at once; a running one becomes `cancelling` and its worker stops it
   * within seconds; a finished one stays as it is.
   *
   * @returns undefined: the tenant has no such job
   */
  async cancel(tenant: string, id: string): Promise<JobRecord | undefined> {
    if (!(await this.jobs.get(tenant, id))) return undefined;
    const job = await this.jobs.change(id, cancelled);
    if (job?.status === 'cancelled') await this.queue.remove(job.queueId).catch(() => false);
    if (job?.status === 'cancelling') await this.jobs.publishCancel(id);
    return job;
  }

  /**
   * Queue a failed or cancelled job again. It resumes after the last finished stage.
   *
   * @throws JOB_NOT_FINISHED it is still at work · JOB_SUCCEEDED there is nothing to retry
   */
  async retry(tenant: string, id: string): Promise<JobRecord | undefined> {
    if (!(await this.jobs.get(tenant, id))) return undefined;
    const job = await this.jobs.change(id, retried);
    if (job) await this.#enqueue(job);
    return job;
  }

  /** Jobs before this one; null where it does not wait. */
  async position(job: JobRecord): Promise<number | null> {
    return job.status === 'queued' ? this.queue.position(job.queueId) : null;
  }

  async #enqueue(job: JobRecord): Promise<void> {
    await this.queue.add(job.queueId, job.id).catch(() => undefined);
  }
}

function cancelled(job: JobRecord): Change | undefined {
  if (TERMINAL.has(job.status) || job.status === 'cancelling') return undefined;
  if (job.status === 'running') return { set: { status: 'cancelling' } };
  const finishedAt = new Date().toISOString();
  return { set: { status: 'cancelled', finishedAt, estimatedSecondsLeft: null } };
}

function retried(job: JobRecord): Change {
  const { id, status } = job;
  if (!TERMINAL.has(status)) throw new ServiceError('JOB_NOT_FINISHED', { id, status });
  if (status === 'succeeded') throw new ServiceError('JOB_SUCCEEDED', { id });
  return { set: { ...nextAttempt(job), crashes: 0 } };
}
