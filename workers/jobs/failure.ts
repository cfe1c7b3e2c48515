/** @file What went wrong, in the words that a client reads: code, detail, stage, whether to try again. */

import { ERRORS, type ErrorCode, ServiceError } from '../../src/contract/errors.ts';
import type { JobEvent } from '../../src/contract/events.ts';

export type Failure = Extract<JobEvent, { type: 'failed' }>;

/** @param where whose disk it was, for errors of the file system */
export function failureOf(error: unknown, stage: string | null, where = 'the worker'): Failure {
  const known = serviceError(error, where);
  const { retry } = ERRORS[known.code as ErrorCode];
  return { type: 'failed', code: known.code, detail: known.message, stage, retryable: retry };
}

function serviceError(error: unknown, where: string): ServiceError {
  if (error instanceof ServiceError && error.code === 'STORAGE_FULL') {
    return new ServiceError('DISK_FULL', { where: 'the artifact store' }, { cause: error });
  }
  if (error instanceof ServiceError) return error;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ServiceError('DISK_FULL', { where }, { cause: error });
  }
  if (code === 'EFBIG') return new ServiceError('FILE_TOO_LARGE', {}, { cause: error });
  const what = error instanceof Error ? error.message : String(error);
  return new ServiceError('INTERNAL', { what }, { cause: error });
}
