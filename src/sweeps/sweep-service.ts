/** @file What the API does with sweeps: keep them, read them as a whole, cancel them, tell that they have ended. */

import type { SweepView } from '../contract/sweep.ts';
import type { JobService } from '../queue/job-service.ts';
import { type JobRecord, TERMINAL } from '../records/job-record.ts';
import type { Page } from '../records/page.ts';
import type { SweepRecord, Sweeps } from '../records/sweeps.ts';
import { sweepView } from './view.ts';

/** Tell whoever listens that a sweep has ended. The same again is one message. */
export type TellEnd = (sweep: SweepRecord, view: SweepView) => Promise<void>;

export class SweepService {
  readonly #sweeps: Sweeps;
  readonly #service: JobService;

  constructor(sweeps: Sweeps, service: JobService) {
    this.#sweeps = sweeps;
    this.#service = service;
  }

  /** The record first, with the ids of its jobs: the caller then makes them. */
  add(sweep: SweepRecord): Promise<SweepRecord> {
    return this.#sweeps.add(sweep);
  }

  get(tenant: string, id: string): Promise<SweepRecord | undefined> {
    return this.#sweeps.get(tenant, id);
  }

  list(tenant: string, limit: number, cursor?: string): Promise<Page<SweepRecord>> {
    return this.#sweeps.list(tenant, limit, cursor);
  }

  async view(sweep: SweepRecord): Promise<SweepView> {
    return sweepView(sweep, await this.#jobs(sweep));
  }

  /** Idempotent: every job that has not ended is cancelled. */
  async cancel(sweep: SweepRecord): Promise<void> {
    for (const { id } of sweep.jobs) await this.#service.cancel(sweep.tenant, id);
  }

  remove({ tenant, id }: SweepRecord): Promise<void> {
    return this.#sweeps.remove(tenant, id);
  }

  /** Tell the end of those that have ended. A process that dies in between tells it again. */
  async tellEnds(tell: TellEnd): Promise<void> {
    for (const sweep of await this.#sweeps.open()) {
      const jobs = await this.#jobs(sweep);
      const made = jobs.some((job) => job !== undefined);
      if (!made || !jobs.every((job) => !job || TERMINAL.has(job.status))) continue;
      await tell(sweep, sweepView(sweep, jobs));
      await this.#sweeps.closed(sweep);
    }
  }

  #jobs({ tenant, jobs }: SweepRecord): Promise<(JobRecord | undefined)[]> {
    return Promise.all(jobs.map(({ id }) => this.#service.jobs.get(tenant, id)));
  }
}
