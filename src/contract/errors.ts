/** @file Every failure this service can name: the tables of `errors/`, joined, and the one error class. */

import { DATA_ERRORS } from './errors/data.ts';
import { DISTILL_ERRORS } from './errors/distill.ts';
import type { ErrorEntry } from './errors/entry.ts';
import { JOB_ERRORS } from './errors/job.ts';
import { MODEL_ERRORS } from './errors/model.ts';
import { QUOTA_ERRORS } from './errors/quota.ts';
import { REQUEST_ERRORS } from './errors/request.ts';
import { RUN_ERRORS } from './errors/run.ts';
import { TRANSFER_ERRORS } from './errors/transfer.ts';
import { WEBHOOK_ERRORS } from './errors/webhook.ts';

/**
 * The message of an entry takes its facts as typed parameters, so a call site cannot forget one.
 * `docs/errors.md` has a paragraph per code; a test keeps the two in step.
 */
export const ERRORS = {
  ...MODEL_ERRORS,
  ...DATA_ERRORS,
  ...JOB_ERRORS,
  ...DISTILL_ERRORS,
  ...RUN_ERRORS,
  ...TRANSFER_ERRORS,
  ...WEBHOOK_ERRORS,
  ...QUOTA_ERRORS,
  ...REQUEST_ERRORS,
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;
export type Facts<C extends ErrorCode> = Parameters<(typeof ERRORS)[C]['message']>[0];

/** The only error class that Lathe throws on purpose. */
export class ServiceError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'ServiceError'; // own property: survives process boundaries
  readonly code: C;
  readonly facts: Facts<C>;

  constructor(code: C, facts: Facts<C>, options?: ErrorOptions) {
    super((ERRORS[code].message as (f: Facts<C>) => string)(facts), options);
    this.code = code;
    this.facts = facts;
  }
}
