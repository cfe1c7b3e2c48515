/** @file Failures of resumable uploads and of imports. */

import type { ErrorEntry } from './entry.ts';

export const TRANSFER_ERRORS = {
  UPLOAD_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string }) =>
      `There is no upload '${p.id}': it was never begun, was given up, or has expired. Begin one with POST /v1/uploads.`,
  },
  UPLOAD_INVALID: {
    status: 400,
    retry: false,
    message: (p: { why: string }) => `The upload request is invalid: ${p.why}.`,
  },
  TUS_VERSION_UNSUPPORTED: {
    status: 412,
    retry: false,
    message: (p: { found: string; valid: string }) =>
      `Tus-Resumable is ${p.found}; this server speaks ${p.valid}.`,
  },
  UPLOAD_OFFSET_CONFLICT: {
    status: 409,
    retry: true,
    message: (p: { id: string; sent: string; has: number }) =>
      `Upload '${p.id}' has ${p.has} bytes and was sent more from byte ${p.sent}: go on at ${p.has}.`,
  },
  UPLOAD_LOCKED: {
    status: 423,
    retry: true,
    message: (p: { id: string }) =>
      `Another request is sending to upload '${p.id}'. Ask for its offset and try again.`,
  },
  UPLOAD_CHECKSUM_MISMATCH: {
    status: 460,
    retry: true,
    message: (p: { expected: string; found: string }) =>
      `The part that arrived has the checksum ${p.found}; announced was ${p.expected}. The part was not kept.`,
  },
  UPLOAD_NOT_COMPLETE: {
    status: 409,
    retry: true,
    message: (p: { id: string; has: number; length: number }) =>
      `Upload '${p.id}' has ${p.has} of ${p.length} bytes: send the rest first.`,
  },
  TOO_MANY_UPLOADS: {
    status: 409,
    retry: true,
    message: (p: { limit: number }) =>
      `There are ${p.limit} unfinished uploads already, the most that a tenant may have: finish or delete one first.`,
  },
  IMPORT_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string }) => `There is no import '${p.id}'.`,
  },
  IMPORT_SOURCE_REFUSED: {
    status: 422,
    retry: false,
    message: (p: { url: string; why: string }) =>
      `Nothing is imported from '${p.url}': ${p.why}. Valid are https URLs of public addresses, and s3://bucket/key of the buckets in LATHE_IMPORT_BUCKETS.`,
  },
  IMPORT_SOURCE_UNREACHABLE: {
    status: 502,
    retry: true,
    message: (p: { url: string; why: string }) => `'${p.url}' could not be fetched: ${p.why}.`,
  },
  IMPORT_SOURCE_ANSWER: {
    status: 422,
    retry: false,
    message: (p: { url: string; why: string }) => `'${p.url}' gives no file: ${p.why}.`,
  },
  IMPORT_TOO_SLOW: {
    status: 504,
    retry: true,
    message: (p: { url: string; seconds: number; bytes: number }) =>
      `'${p.url}' gave ${p.bytes} bytes within ${p.seconds} s, the longest time of an import.`,
  },
  TOO_MANY_IMPORTS: {
    status: 409,
    retry: true,
    message: (p: { limit: number }) =>
      `There are ${p.limit} unfinished imports already, the most that a tenant may have: wait for one, or cancel it.`,
  },
} as const satisfies Record<string, ErrorEntry>;
