/** @file Failures of a job's run: its limits, its worker, its machine; and requests that come at the wrong time. */

import type { ErrorEntry } from './entry.ts';

export const RUN_ERRORS = {
  JOB_NOT_FINISHED: {
    status: 409,
    retry: true,
    message: (p: { id: string; status: string }) =>
      `Job '${p.id}' is ${p.status}: only a finished job can be retried.`,
  },
  JOB_SUCCEEDED: {
    status: 409,
    retry: false,
    message: (p: { id: string }) =>
      `Job '${p.id}' has succeeded: there is nothing to retry. Submit a new job with other limits or stages.`,
  },
  JOB_EXPIRED: {
    status: 409,
    retry: false,
    message: (p: { at: string }) =>
      `The job had not ended at ${p.at}, when it was to expire. Submit it again with a later 'expiresAt'.`,
  },
  JOB_TIMEOUT: {
    status: 422,
    retry: false,
    message: (p: { seconds: number }) =>
      `The job ran longer than ${p.seconds} s, the limit of this worker (LATHE_JOB_SECONDS).`,
  },
  JOB_STUCK: {
    status: 422,
    retry: false,
    message: (p: { seconds: number; doing: string }) =>
      `The job made no progress for ${p.seconds} s (${p.doing}): an inference of the model may never end. The limit is LATHE_JOB_SILENCE_SECONDS.`,
  },
  JOB_OUT_OF_MEMORY: {
    status: 422,
    retry: false,
    message: (p: { bytes: number; limit: number }) =>
      `The job used ${mebibytes(p.bytes)} of memory; the limit of this worker is ${mebibytes(p.limit)} (LATHE_JOB_MEMORY).`,
  },
  MODEL_CRASHES_RUNTIME: {
    status: 422,
    retry: false,
    message: (p: { signal: string; times: number }) =>
      `The runtime was killed by ${p.signal} while it worked on the model${p.times > 1 ? `, ${p.times} times` : ''}.`,
  },
  JOB_PROCESS_DIED: {
    status: 500,
    retry: true,
    message: (p: { how: string }) => `The process of the job ended without a result: ${p.how}.`,
  },
  DATA_THREAD_DIED: {
    status: 500,
    retry: true,
    message: (p: { how: string }) =>
      `A thread that prepares training images ended before the training did: ${p.how}.`,
  },
  WORKER_LOST: {
    status: 500,
    retry: true,
    message: (_: Record<never, never>) =>
      'Every worker that ran the job stopped without a word. A retry resumes after the last finished stage.',
  },
  DISK_FULL: {
    status: 507,
    retry: true,
    message: (p: { where: string }) =>
      `No space is left on the disk of ${p.where}. Free some and retry the job: it resumes after the last finished stage.`,
  },
  FILE_TOO_LARGE: {
    status: 422,
    retry: false,
    message: (_: Record<never, never>) =>
      'The job tried to write a file larger than this worker allows (LATHE_JOB_FILE_BYTES).',
  },
} as const satisfies Record<string, ErrorEntry>;

const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
