/** @file A JSON body, held against its schema: every fault with a pointer and what would be valid. */

import type { Static, TSchema } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import { schemaErrors } from '../contract/schema-errors.ts';

/** @throws JSON_MALFORMED there is none · REQUEST_INVALID */
export function readBody<S extends TSchema>(schema: S, body: unknown): Static<S> {
  if (body === undefined) throw new ServiceError('JSON_MALFORMED', { why: 'it is empty' });
  const errors = schemaErrors(schema, body);
  if (errors.length > 0) throw new ServiceError('REQUEST_INVALID', { errors });
  return body as Static<S>;
}
