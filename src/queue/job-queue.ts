/** @file What the service asks of a queue. Nothing but job ids crosses it: the records say everything else. */

import type { JobRecord } from '../records/job-record.ts';

export type QueuedState = 'waiting' | 'active' | 'finished' | 'failed' | 'missing';

/** What the queue is told of a job: who it is, and how urgent. */
export type Queued = Pick<JobRecord, 'id' | 'queueId' | 'spec'>;

export interface JobQueue {
  /** Put a job there, behind those of its class; the same `queueId` (`<job>-<attempt>`) again changes nothing. */
  add(job: Queued): Promise<void>;
  /** Take a waiting one out. @returns false where it was not waiting (a worker has it, or it is gone) */
  remove(queueId: string): Promise<boolean>;
  state(queueId: string): Promise<QueuedState>;
  /** How many are before it; null where it does not wait. */
  position(queueId: string): Promise<number | null>;
  /** How many wait. */
  depth(): Promise<number>;
  close(): Promise<void>;
}
