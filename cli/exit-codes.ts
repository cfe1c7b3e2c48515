/** @file How a command ends. */

export const EXIT = {
  done: 0,
  /** Usage, or invalid input: whatever the API answers with 4xx. */
  invalid: 2,
  failed: 3,
  rejected: 4,
  /** Cancelled or expired. */
  cancelled: 5,
  /** No server, or it does not let us in (401, 403). */
  unreachable: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
