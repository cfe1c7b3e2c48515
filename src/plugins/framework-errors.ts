/** @file What Fastify, its plugins, Redis and Node call their errors, and what we call them. */

import type { FastifyError } from 'fastify';

import { ServiceError } from '../contract/errors.ts';

interface ValidationFault {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message?: string;
  readonly params: Readonly<Record<string, unknown>>;
}

const KNOWN: Readonly<Record<string, (error: FastifyError, type?: string) => ServiceError>> = {
  FST_ERR_VALIDATION: invalid,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: unsupported,
  FST_ERR_CTP_BODY_TOO_LARGE: () => tooLarge('body'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new ServiceError('UPLOAD_INCOMPLETE', { why: 'its length is not its Content-Length' }),
  FST_ERR_CTP_INVALID_JSON_BODY: ({ message }) =>
    new ServiceError('JSON_MALFORMED', { why: message }),
  FST_ERR_MAX_PARAM_LENGTH: () =>
    new ServiceError('HTTP_MALFORMED', { why: 'a part of its path is too long to be an id' }),
  FST_ERR_BAD_URL: ({ message }) => new ServiceError('HTTP_MALFORMED', { why: message }),
  FST_INVALID_JSON_FIELD_ERROR: () =>
    new ServiceError('JSON_MALFORMED', { why: "the part 'spec' does not parse" }),
  FST_REQ_FILE_TOO_LARGE: () => tooLarge('upload'),
  FST_PARTS_LIMIT: ({ message }) => new ServiceError('MULTIPART_INVALID', { why: message }),
  FST_FILES_LIMIT: ({ message }) => new ServiceError('MULTIPART_INVALID', { why: message }),
  FST_FIELDS_LIMIT: ({ message }) => new ServiceError('MULTIPART_INVALID', { why: message }),
  FST_PROTO_VIOLATION: ({ message }) => new ServiceError('MULTIPART_INVALID', { why: message }),
  FST_INVALID_MULTIPART_CONTENT_TYPE: unsupported,
  FST_MP_PREMATURE_CLOSE: () => incomplete(),
  ECONNRESET: () => incomplete(),
  ECONNREFUSED: () => new ServiceError('REDIS_UNAVAILABLE', {}),
};

const REDIS =
  /Stream isn't writeable|Command timed out|max retries per request|Connection is closed|LOADING |READONLY |MASTERDOWN /;

/** The error of ours that says the same; INTERNAL where there is none. @param type content type of the request */
export function frameworkError(error: FastifyError, type?: string): ServiceError {
  const known = KNOWN[error.code];
  if (known) return known(error, type);
  if (REDIS.test(error.message)) return new ServiceError('REDIS_UNAVAILABLE', {}, { cause: error });
  if (/multipart|terminated early|unexpected end/i.test(error.message)) return incomplete(error);
  if (error.statusCode === 400)
    return new ServiceError('JSON_MALFORMED', { why: error.message }, { cause: error });
  if (error.statusCode === 413) return tooLarge('body');
  if (error.statusCode === 415) return unsupported(error, type);
  return new ServiceError('INTERNAL', { what: error.message }, { cause: error });
}

const incomplete = (error?: Error) =>
  new ServiceError(
    'UPLOAD_INCOMPLETE',
    { why: error?.message ?? 'the connection ended before the body did' },
    { cause: error },
  );

const tooLarge = (what: string) =>
  new ServiceError('PAYLOAD_TOO_LARGE', { what, limit: JSON_BODY_LIMIT });

/** Of JSON bodies and of the part `spec`, in bytes. */
export const JSON_BODY_LIMIT = 2 ** 20;

function unsupported(_error: FastifyError, type = 'missing'): ServiceError {
  return new ServiceError('UNSUPPORTED_MEDIA_TYPE', {
    found: type,
    valid: 'application/json, multipart/form-data or application/octet-stream, by route',
  });
}

function invalid(error: FastifyError): ServiceError {
  const faults = (error.validation ?? []) as unknown as readonly ValidationFault[];
  const where = error.validationContext ?? 'request';
  return new ServiceError('REQUEST_INVALID', { errors: faults.map((f) => described(f, where)) });
}

function described(
  { keyword, instancePath, message = '', params }: ValidationFault,
  where: string,
) {
  const extra = params['additionalProperty'];
  const pointer = `${where}${instancePath}${extra === undefined ? '' : `/${extra}`}`;
  if (keyword === 'additionalProperties') return { pointer, detail: 'is not known here' };
  const valid = params['allowedValues'];
  return {
    pointer,
    detail: Array.isArray(valid) ? `must be one of ${valid.join(', ')}` : message,
  };
}
