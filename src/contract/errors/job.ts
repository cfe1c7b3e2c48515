/** @file Failures of a job and its stages. */

import type { ErrorEntry } from './entry.ts';

export const JOB_ERRORS = {
  SPEC_INVALID: {
    status: 422,
    retry: false,
    message: (p: { errors: readonly { pointer: string; detail: string }[] }) =>
      `The job spec is invalid: ${p.errors.map((e) => `${e.pointer || '/'} ${e.detail}`).join('; ')}.`,
  },
  NOT_YET_SUPPORTED: {
    status: 422,
    retry: false,
    message: (p: { what: string; where: string }) =>
      `${p.what} (at ${p.where}) is not supported yet.`,
  },
  INTERNAL: {
    status: 500,
    retry: true,
    message: (p: { what: string }) => `internal: ${p.what}.`,
  },
} as const satisfies Record<string, ErrorEntry>;
