/** @file What the service asks of a queue. Nothing but job ids crosses it: the records say everything else. */

import type { Requires } from '../contract/requires.ts';
import type { JobRecord } from '../records/job-record.ts';

export type QueuedState = 'waiting' | 'active' | 'finished' | 'failed' | 'missing';

/** What the queue is told of a job: who it is, whose, how urgent, what it asks of its worker. */
export type Queued = Pick<JobRecord, 'id' | 'queueId' | 'tenant' | 'spec' | 'createdAt'>;

export interface JobQueue {
  /** Put a job there, behind those of its tenant and class; the same `queueId` (`<job>-<attempt>`) again changes nothing. */
  add(job: Queued): Promise<void>;
  /** Take a waiting one out. @returns false where it was not waiting (a worker has it, or it is gone) */
  remove(queueId: string): Promise<boolean>;
  /** Whoever had it is done with it: its slot is free. */
  release(queueId: string): Promise<void>;
  state(queueId: string): Promise<QueuedState>;
  /** A worker has it whose like are all gone, so that nobody else would take it over. */
  stranded(queueId: string): Promise<boolean>;
  /** How many of the same tenant are before it; null where it does not wait. */
  position(job: Pick<Queued, 'queueId' | 'tenant'>): Promise<number | null>;
  /** Why no worker can take a job that asks for this, in words; null: one can. */
  obstacle(asked: Requires): Promise<string | null>;
  close(): Promise<void>;
}
