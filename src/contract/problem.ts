/** @file Problem details (RFC 9457): the one shape of every error answer. */

import { type Static, Type } from 'typebox';
import type { ErrorEntry } from './errors/entry.ts';
import { ERRORS, type ErrorCode, ServiceError } from './errors.ts';

export const FieldError = Type.Object({
  pointer: Type.String({
    description: 'JSON Pointer into the request body, or name of a parameter.',
  }),
  detail: Type.String({ description: 'What was found, and what is valid.' }),
});
export type FieldError = Static<typeof FieldError>;

export const Problem = Type.Object(
  {
    type: Type.String({ description: '/docs/errors#CODE' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String({ description: 'The path that was asked for.' }),
    code: Type.String({ description: 'Stable name of the failure.' }),
    retryable: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
    errors: Type.Array(FieldError),
  },
  { $id: 'Problem' },
);
export type Problem = Static<typeof Problem>;

/** `MODEL_NOT_FOUND` → `Model not found`. */
export function titleOf(code: string): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  const sentence = words.charAt(0).toUpperCase() + words.slice(1);
  return sentence.replace(/\b(json|http)\b/i, (word) => word.toUpperCase());
}

/** @param instance path of the request */
export function problemOf(error: ServiceError, instance: string): Problem {
  const entry: ErrorEntry = ERRORS[error.code];
  return {
    type: `/docs/errors#${error.code}`,
    title: titleOf(error.code),
    status: entry.status,
    detail: error.message,
    instance,
    code: error.code,
    retryable: entry.retry,
    errors: fieldErrors(error.facts),
  };
}

function fieldErrors(facts: object): FieldError[] {
  return 'errors' in facts && Array.isArray(facts.errors) ? facts.errors : [];
}

/** Rebuild an error that another process has told as JSON; one that this version does not know is internal. */
export function errorFrom(told: { code: string; detail: string; facts?: unknown }): ServiceError {
  if (!Object.hasOwn(ERRORS, told.code) || typeof told.facts !== 'object' || told.facts === null)
    return new ServiceError('INTERNAL', { what: `${told.code}: ${told.detail}` });
  return new ServiceError(told.code as ErrorCode, told.facts as never);
}
