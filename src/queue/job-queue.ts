/** @file What the service asks of a queue. Nothing but job ids crosses it: the records say everything else. */

export type QueuedState = 'waiting' | 'active' | 'finished' | 'failed' | 'missing';

export interface JobQueue {
  /** Put a queue job there; the same id again changes nothing. @param queueId `<job>-<attempt>` */
  add(queueId: string, job: string): Promise<void>;
  /** Take a waiting one out. @returns false where it was not waiting (a worker has it, or it is gone) */
  remove(queueId: string): Promise<boolean>;
  state(queueId: string): Promise<QueuedState>;
  /** How many are before it; null where it does not wait. */
  position(queueId: string): Promise<number | null>;
  /** How many wait. */
  depth(): Promise<number>;
  close(): Promise<void>;
}
