/** @file The header Idempotency-Key: a quoted string, unquoted accepted. */

import type { FastifyRequest } from 'fastify';

import { ServiceError } from '../contract/errors.ts';

const QUOTED = /^"([^"\\]{1,255})"$/;
const PLAIN = /^[!#-~]{1,255}$/;

/** @returns undefined: none was sent @throws REQUEST_INVALID */
export function idempotencyKey({ headers }: FastifyRequest): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) return undefined;
  const text = String(header).trim();
  const key = QUOTED.exec(text)?.[1] ?? PLAIN.exec(text)?.[0];
  if (key !== undefined) return key;
  const detail = 'must be a string of 1 to 255 characters, such as "8e03978e-40d5-43dd"';
  throw new ServiceError('REQUEST_INVALID', {
    errors: [{ pointer: 'headers/idempotency-key', detail }],
  });
}
