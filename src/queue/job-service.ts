/** @file What the API does with jobs: submit, cancel, retry, delete. Record first, queue second, answer last. */

import { ServiceError } from '../contract/errors.ts';
import {
  isOverdue,
  type JobRecord,
  type NewJob,
  stoppedState,
  TERMINAL,
} from '../records/job-record.ts';
import { NOT_WAITING, type Waiting } from '../records/job-view.ts';
import type { Change, Changer, Jobs } from '../records/jobs.ts';
import { isHeld } from './held.ts';
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
   * @param most jobs of the tenant that may wait; 0: any number
   * @throws QUOTA_EXCEEDED
   */
  async submit(job: NewJob, secret = '', most = 0): Promise<JobRecord> {
    const record = await this.jobs.create(job, secret, most);
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
    return this.#stop(id, cancelled);
  }

  /** Stop the jobs whose time is up: as a cancellation, but they become `expired`. @returns their ids */
  async expire(now = Date.now()): Promise<string[]> {
    const ids = await this.jobs.due(now);
    for (const id of ids) {
      const job = await this.#stop(id, (j) => (isOverdue(j, now) ? expired(j) : undefined));
      if (!job || TERMINAL.has(job.status)) await this.jobs.forgetDeadline(id);
    }
    return ids;
  }

  /**
   * Accept a job whose result is known: it ends at once, with the artifacts of the other.
   *
   * @param from a job of the same tenant that has succeeded
   */
  async submitKnown(job: NewJob, from: JobRecord, secret = ''): Promise<JobRecord> {
    const { id } = await this.jobs.create(job, secret);
    return (await this.jobs.change(id, (now) => answered(now, from)))!;
  }

  async #stop(id: string, changer: Changer): Promise<JobRecord | undefined> {
    const job = await this.jobs.change(id, changer);
    if (job && TERMINAL.has(job.status)) await this.queue.remove(job.queueId).catch(() => false);
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

  /** Where it stands, and why no worker can take it. */
  async waiting(job: JobRecord): Promise<Waiting> {
    const { status, spec, after } = job;
    if (status !== 'queued') return NOT_WAITING;
    const position = await this.queue.position(job);
    if (position === null && after)
      return { position, reason: `It waits for the stages that it shares with ${after.job}.` };
    return { position, reason: await this.queue.obstacle(spec.requires ?? {}) };
  }

  /** Queue those whose leaders have come far enough. */
  async freeHeld(): Promise<void> {
    for (const id of await this.jobs.held()) {
      const job = await this.jobs.find(id);
      if (job?.status === 'queued' && (await isHeld(this.jobs, job))) continue;
      if (job?.status === 'queued') await this.queue.add(job);
      await this.jobs.letGo(id);
    }
  }

  async #enqueue(job: JobRecord): Promise<void> {
    if (await isHeld(this.jobs, job)) return this.jobs.hold(job.id);
    await this.queue.add(job).catch(() => undefined);
  }
}

function cancelled(job: JobRecord): Change | undefined {
  if (TERMINAL.has(job.status) || job.status === 'cancelling') return undefined;
  if (job.status === 'running') return { set: { status: 'cancelling' } };
  const finishedAt = new Date().toISOString();
  return { set: { ...stoppedState(job), finishedAt, estimatedSecondsLeft: null } };
}

function expired(job: JobRecord): Change | undefined {
  const change = cancelled({ ...job, overdue: true });
  return change && { set: { ...change.set, overdue: true } };
}

function answered(job: JobRecord, from: JobRecord): Change | undefined {
  if (job.status !== 'queued') return undefined;
  const at = new Date().toISOString();
  const { outcome, task, preprocess, stages, final, checks, artifacts } = from;
  return {
    set: {
      ...{ status: 'succeeded', outcome, task, preprocess, stages, final, checks, artifacts },
      ...{ cachedFrom: from.cachedFrom ?? from.id, progress: 1 },
      ...{ startedAt: at, finishedAt: at },
    },
  };
}

function retried(job: JobRecord): Change {
  const { id, status } = job;
  if (!TERMINAL.has(status)) throw new ServiceError('JOB_NOT_FINISHED', { id, status });
  if (status === 'succeeded') throw new ServiceError('JOB_SUCCEEDED', { id });
  if (isOverdue(job)) throw new ServiceError('JOB_EXPIRED', { at: job.expiresAt ?? '' });
  return { set: { ...nextAttempt(job), crashes: 0 } };
}
