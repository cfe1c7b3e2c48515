/** @file Failures of an HTTP request itself. */

import type { ErrorEntry } from './entry.ts';

interface Fields {
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
}

export const REQUEST_ERRORS = {
  REQUEST_INVALID: {
    status: 400,
    retry: false,
    message: (p: Fields) =>
      `The request is invalid: ${p.errors.map((e) => `${e.pointer} ${e.detail}`).join('; ')}.`,
  },
  JSON_MALFORMED: {
    status: 400,
    retry: false,
    message: (p: { why: string }) => `The body is not valid JSON: ${p.why}.`,
  },
  MULTIPART_INVALID: {
    status: 400,
    retry: false,
    message: (p: { why: string }) => `The multipart body is refused: ${p.why}.`,
  },
  UPLOAD_INCOMPLETE: {
    status: 400,
    retry: true,
    message: (p: { why: string }) => `The upload is incomplete: ${p.why}. Nothing was kept.`,
  },
  DIGEST_MISMATCH: {
    status: 400,
    retry: true,
    message: (p: { expected: string; found: string }) =>
      `The bytes that arrived are ${p.found}; announced was ${p.expected}. Nothing was kept.`,
  },
  UNAUTHORIZED: {
    status: 401,
    retry: false,
    message: (p: { why: string }) =>
      `${p.why}. Send 'Authorization: Bearer KEY' or 'x-api-key: KEY'.`,
  },
  FORBIDDEN: {
    status: 403,
    retry: false,
    message: (p: { why: string }) => `The request is refused: ${p.why}.`,
  },
  SCOPE_MISSING: {
    status: 403,
    retry: false,
    message: (p: { needed: string; has: string }) =>
      `The request needs a key with the scope '${p.needed}'; this one has ${p.has}.`,
  },
  NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { what: string }) => `${p.what} was not found.`,
  },
  MODEL_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string }) =>
      `There is no model '${p.id}': upload it with POST /v1/models, or send it as the part 'model'.`,
  },
  DATASET_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string }) =>
      `There is no data set '${p.id}': upload it with POST /v1/datasets, or send it as the part 'dataset'.`,
  },
  JOB_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string }) => `There is no job '${p.id}'.`,
  },
  SWEEP_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string }) => `There is no sweep '${p.id}'.`,
  },
  KEY_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string }) => `There is no API key '${p.id}'.`,
  },
  TOO_MANY_KEYS: {
    status: 409,
    retry: false,
    message: (p: { limit: number }) =>
      `There are ${p.limit} API keys already, the most that a tenant may have: revoke one first.`,
  },
  WORKER_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string }) => `No worker '${p.id}' is alive: GET /v1/workers lists them.`,
  },
  ARTIFACT_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { name: string; has: string }) =>
      `The job has no artifact '${p.name}'; it has ${p.has}.`,
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    retry: false,
    message: (p: { method: string; allowed: string }) =>
      `${p.method} is not allowed here; allowed: ${p.allowed}.`,
  },
  MODEL_IN_USE: {
    status: 409,
    retry: true,
    message: (p: { id: string; jobs: string }) => `Model '${p.id}' is needed by ${p.jobs}.`,
  },
  DATASET_IN_USE: {
    status: 409,
    retry: true,
    message: (p: { id: string; jobs: string }) => `Data set '${p.id}' is needed by ${p.jobs}.`,
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retry: false,
    message: (p: { key: string }) =>
      `The idempotency key '${p.key}' was sent with another payload within the last day: a new job needs a new key.`,
  },
  IDEMPOTENCY_IN_PROGRESS: {
    status: 409,
    retry: true,
    message: (p: { key: string }) =>
      `A request with the idempotency key '${p.key}' is being worked on: try again in a second.`,
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    retry: false,
    message: (p: { what: string; limit: number }) =>
      `The ${p.what} is larger than ${p.limit} bytes, the limit of this server.`,
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    retry: false,
    message: (p: { found: string; valid: string }) =>
      `The content type is ${p.found}; valid here: ${p.valid}.`,
  },
  RANGE_NOT_SATISFIABLE: {
    status: 416,
    retry: false,
    message: (p: { range: string; bytes: number }) =>
      `The range '${p.range}' lies outside the file of ${p.bytes} bytes.`,
  },
  RATE_LIMITED: {
    status: 429,
    retry: true,
    message: (p: { max: number; seconds: number }) =>
      `More than ${p.max} requests within a minute: try again in ${p.seconds} s.`,
  },
  HTTP_MALFORMED: {
    status: 400,
    retry: false,
    message: (p: { why: string }) => `The request is not valid HTTP: ${p.why}.`,
  },
  REDIS_UNAVAILABLE: {
    status: 503,
    retry: true,
    message: (_: Record<never, never>) =>
      'Redis does not answer, so nothing can be read or accepted now. Try again in a few seconds.',
  },
  NOT_READY: {
    status: 503,
    retry: true,
    message: (p: { why: string }) => `This server is not ready: ${p.why}.`,
  },
  SHUTTING_DOWN: {
    status: 503,
    retry: true,
    message: (_: Record<never, never>) => 'This server is shutting down. Try again.',
  },
  INSPECTION_FAILED: {
    status: 422,
    retry: true,
    message: (p: { what: string; how: string }) =>
      `The ${p.what} could not be inspected: its process ended by ${p.how}.`,
  },
  DATASET_TOO_COMPLEX: {
    status: 422,
    retry: false,
    message: (p: { what: string; limit: number }) =>
      `Inspecting the data set takes too many ${p.what}: the limit is ${p.limit}.`,
  },
  STORAGE_FULL: {
    status: 507,
    retry: true,
    message: (_: Record<never, never>) =>
      'The storage of this server is full. Nothing was kept; free some space and try again.',
  },
  STORAGE_UNAVAILABLE: {
    status: 503,
    retry: true,
    message: (p: { why: string }) =>
      `The storage of this server cannot be used now: ${p.why}. Try again in a few seconds.`,
  },
  STORED_FILE_MISSING: {
    status: 500,
    retry: false,
    message: (p: { digest: string }) =>
      `The stored file ${p.digest} is missing from the storage of this server.`,
  },
  SECRET_UNREADABLE: {
    status: 500,
    retry: false,
    message: (_: Record<never, never>) =>
      'A stored secret was sealed with another key than LATHE_SECRET_KEY: name the former one in LATHE_PREVIOUS_SECRET_KEYS, or make a new secret.',
  },
  STORED_FILE_CORRUPT: {
    status: 500,
    retry: false,
    message: (p: { digest: string }) =>
      `The stored file ${p.digest} is damaged: its bytes no longer have this digest. It was put aside; uploading the same file again mends it.`,
  },
} as const satisfies Record<string, ErrorEntry>;
