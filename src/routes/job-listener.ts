/** @file One client that listens to one job: from where it was to the terminal event. */

import { type JobRecord, TERMINAL } from '../records/job-record.ts';
import type { Collaborators } from './collaborators.ts';
import { blockOf, type EventStream } from './event-stream.ts';

type Needs = Pick<Collaborators, 'service' | 'events'>;
type Log = { warn(facts: object, message: string): void };

/** Sleeps between two changes of the job, and is nothing but these fields then. */
export class JobListener {
  readonly #needs: Needs;
  readonly #tenant: string;
  readonly #id: string;
  readonly #stream: EventStream;
  readonly #log: Log;
  #last: string;
  #rung = false;
  #busy = false;

  /** @param after id of the last event that the client knows; '' is from the beginning */
  constructor(
    needs: Needs,
    { tenant, id }: Pick<JobRecord, 'tenant' | 'id'>,
    after: string,
    stream: EventStream,
    log: Log,
  ) {
    this.#needs = needs;
    this.#tenant = tenant;
    this.#id = id;
    this.#last = after;
    this.#stream = stream;
    this.#log = log;
    stream.whenEnded(needs.events.watch(id, this.wake));
  }

  /** The job may have more to say. */
  readonly wake = (): void => {
    this.#rung = true;
    if (!this.#busy) void this.#passOn();
  };

  async #passOn(): Promise<void> {
    this.#busy = true;
    try {
      while (this.#rung && !this.#stream.ended) {
        this.#rung = false; // before reading, so that no change falls between
        await this.#tellNews();
        if (!(await this.#hasEnded())) continue;
        await this.#tellNews(); // record and event are written in one step: what came between the two reads
        this.#stream.end();
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'a stream of events broke off');
      this.#stream.end();
    }
    this.#busy = false;
  }

  async #tellNews(): Promise<void> {
    while (!this.#stream.ended) {
      const batch = await this.#needs.events.read(this.#id, this.#last);
      if (batch.length === 0) return;
      for (const { id, data } of batch) {
        await this.#stream.write(blockOf(data.type, data, id));
        this.#last = id;
      }
    }
  }

  async #hasEnded(): Promise<boolean> {
    const job = await this.#needs.service.jobs.get(this.#tenant, this.#id);
    return !job || TERMINAL.has(job.status);
  }
}
