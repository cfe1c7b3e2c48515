/** @file The events of a job's stream: what its child says, and the job's own changes of state. */

import type { JobEvent } from '../contract/events.ts';
import type { JobError, JobRecord } from './job-record.ts';

/** `done` and `failed` of the child are told as the job's new state. */
export type StoredEvent =
  | Exclude<JobEvent, { type: 'done' | 'failed' }>
  | {
      readonly type: 'state';
      readonly status: JobRecord['status'];
      readonly outcome: JobRecord['outcome'];
      readonly attempt: number;
      readonly error?: JobError;
    };
