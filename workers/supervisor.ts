/** @file Looks after the jobs of one worker. Never computes: each job runs in a process of its own. */

import { ServiceError } from '../src/contract/errors.ts';
import type { JobQueue } from '../src/queue/job-queue.ts';
import { begun, nextAttempt } from '../src/queue/reconcile.ts';
import type { JobError, JobRecord } from '../src/records/job-record.ts';
import { Fenced } from '../src/records/jobs.ts';
import { runAttempt, type StopReason, type Surroundings } from './supervision/attempt.ts';
import { cancelled, claim, failed } from './supervision/claim.ts';
import { OWN_ID } from './supervision/neighbours.ts';

/** The native crash that is final: once may be the machine's fault. */
const FINAL_CRASH = 2;
/** How often the record is asked whether a silent job shall be cancelled. */
const LOOK_MS = 2000;

export interface SupervisorOptions extends Surroundings {
  readonly queue: JobQueue;
  /** One line for the worker's log. */
  log(facts: Readonly<Record<string, unknown>>, message: string): void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #running = new Map<string, AbortController>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Work off one queue job. Ends when the record says how the job ended, or when somebody else has it. */
  async process(queueId: string, id: string, signal?: AbortSignal): Promise<void> {
    const { jobs, log } = this.#options;
    let job = await claim(jobs, id, queueId, OWN_ID);
    const stop = new AbortController();
    signal?.addEventListener('abort', () => stop.abort('cancel' satisfies StopReason));
    this.#running.set(id, stop);
    try {
      while (job) {
        log({ job: id, attempt: job.attempt }, 'attempt started');
        job = await this.#attempt(job, stop);
      }
    } catch (error) {
      if (!(error instanceof Fenced)) throw error;
      log({ job: id }, 'another attempt has taken over');
    } finally {
      this.#running.delete(id);
      await this.#options.queue.release(queueId).catch(() => undefined); // else somebody tends to it
    }
  }

  /** Jobs that are looked after now. */
  get atWork(): number {
    return this.#running.size;
  }

  /** The job's cancellation is wanted. */
  cancel(id: string): void {
    this.#running.get(id)?.abort('cancel' satisfies StopReason);
  }

  /** Stop everything; each job goes back to the queue and resumes after its last finished stage. */
  handBack(): void {
    for (const stop of this.#running.values()) stop.abort('hand back' satisfies StopReason);
  }

  /** @returns the job as its next attempt in this worker starts it; undefined: it is over here */
  async #attempt(job: JobRecord, stop: AbortController): Promise<JobRecord | undefined> {
    const looking = this.#lookForCancellation(job.id);
    const end = await runAttempt(job, this.#options, stop).finally(() => clearInterval(looking));
    if (end === 'settled') return undefined;
    if (end === 'handed back') return this.#giveBack(job);
    return this.#afterCrash(job, end.crashed);
  }

  #lookForCancellation(id: string): NodeJS.Timeout {
    return setInterval(() => {
      this.#options.jobs.find(id).then(
        (job) => (!job || job.status === 'cancelling') && this.cancel(id),
        () => undefined,
      );
    }, LOOK_MS);
  }

  async #giveBack({ id, attempt }: JobRecord): Promise<undefined> {
    const { jobs, queue, log } = this.#options;
    const job = await jobs.change(
      id,
      (now) => ({ set: now.status === 'cancelling' ? cancelled(now) : nextAttempt(now) }),
      attempt,
    );
    if (job?.status === 'queued') await queue.add(job);
    log({ job: id }, 'handed back');
    return undefined;
  }

  async #afterCrash(job: JobRecord, signal: string): Promise<JobRecord | undefined> {
    const { jobs, log } = this.#options;
    const times = job.crashes + 1;
    log({ job: job.id, signal, times }, 'the job crashed');
    const next = await jobs.change(
      job.id,
      (now) =>
        times >= FINAL_CRASH
          ? { set: { crashes: times, ...failed(now, crashOf(now, signal, times)) } }
          : { set: { crashes: times, attempt: now.attempt + 1, ...begun(now) } },
      job.attempt,
    );
    return next?.status === 'running' ? next : undefined;
  }
}

function crashOf(job: JobRecord, signal: string, times: number): JobError {
  const stage = job.stages.find((s) => s.status === 'running')?.stage ?? null;
  const error = new ServiceError('MODEL_CRASHES_RUNTIME', { signal, times });
  return { code: error.code, detail: error.message, stage, retryable: false };
}
