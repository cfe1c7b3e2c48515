/** @file Parameters and answers that several routes share. */

import { type TProperties, Type } from 'typebox';

import { ERRORS, type ErrorCode } from '../contract/errors.ts';
import { JOB_ID_PATTERN } from '../contract/ids.ts';
import type { DatasetInfo, ModelInfo } from '../contract/inspection.ts';
import type { JobView } from '../contract/job-view.ts';

/** Components of the OpenAPI document, by reference. */
export const JobRef = Type.Unsafe<JobView>({ $ref: 'Job#' });
export const ModelRef = Type.Unsafe<ModelInfo & { createdAt: string }>({ $ref: 'Model#' });
export const DatasetRef = Type.Unsafe<DatasetInfo & { name: string | null; createdAt: string }>({
  $ref: 'Dataset#',
});

export const query = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

export const DigestParams = Type.Object({
  id: Type.String({ description: 'sha256:<64 hex>', examples: [`sha256:${'0'.repeat(64)}`] }),
});

export const JobParams = Type.Object({
  id: Type.String({ description: 'job_<32 hex>', examples: [`job_${'0'.repeat(32)}`] }),
});

export const WebhookParams = Type.Object({
  id: Type.String({ description: 'wh_<32 hex>', examples: [`wh_${'0'.repeat(32)}`] }),
});

export const isJobId = (text: string): boolean => new RegExp(JOB_ID_PATTERN).test(text);

export const limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Items per page.' }),
);

export const wait = Type.Optional(
  Type.Integer({
    minimum: 0,
    description: 'Seconds to wait, at most 60: more is cut. `Prefer: wait=N` says the same.',
  }),
);

export const page = (item: object, description: string) => ({
  description,
  ...Type.Object({
    items: Type.Array(Type.Unsafe<unknown>(item)),
    nextCursor: Type.Union([Type.String(), Type.Null()], {
      description: 'Pass it as `cursor` for the next page; null: this was the last.',
    }),
  }),
});

/** Answers of several codes, by status; those that any route may give stand in `ALWAYS`. */
export function problems(...codes: readonly ErrorCode[]): Record<number, object> {
  const byStatus = Object.groupBy([...ALWAYS, ...codes], (code) => ERRORS[code].status);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, some]) => [
      status,
      {
        description: some!.map((code) => `\`${code}\``).join(', '),
        content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
      },
    ]),
  );
}

const ALWAYS: readonly ErrorCode[] = [
  'REQUEST_INVALID',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'SCOPE_MISSING',
  'PAYLOAD_TOO_LARGE',
  'RATE_LIMITED',
  'INTERNAL',
  'REDIS_UNAVAILABLE',
];

/** An answer without a body. */
export const nothing = (description: string) =>
  Type.Unsafe<undefined>({ type: 'null', description });

/** A body that is bytes. */
export const bytes = (description: string, type = 'application/octet-stream') => ({
  description,
  content: { [type]: { schema: { type: 'string', format: 'binary' } } },
});
