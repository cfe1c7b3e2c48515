/** @file Downloads: ranges, entity tags, digests. */

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { reprDigest } from '../contract/digest.ts';
import { ServiceError } from '../contract/errors.ts';
import type { ArtifactStore } from '../storage/artifact-store.ts';
import { matches, rangeOf } from './conditional.ts';

export interface SentFile {
  readonly digest: string;
  /** Name of the file for whoever saves it. */
  readonly name: string;
  readonly type: string;
}

const PRIVATE = 'private, no-cache';

/** A report is opened, everything else is saved. It runs no script, whatever is in it. */
const REPORT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  store: ArtifactStore,
  { digest, name, type }: SentFile,
): Promise<FastifyReply> {
  const etag = `"${digest}"`;
  if (matches(request.headers['if-none-match'], etag))
    return reply.header('etag', etag).header('cache-control', PRIVATE).code(304).send();
  const file = await store.head(digest);
  if (!file) return lost(store, digest);
  const range = wanted(request, reply, etag, file.bytes);
  // Before anything is said about the file: it may turn out to be damaged.
  const isHead = request.method === 'HEAD';
  const bytes = isHead ? Readable.from([]) : await store.getStream(digest, range);
  const inline = type.startsWith('text/html');
  reply
    .type(type)
    .header('etag', etag)
    .header('cache-control', PRIVATE)
    .header('accept-ranges', 'bytes')
    .header('repr-digest', reprDigest(digest))
    .header('content-disposition', disposition(inline ? 'inline' : 'attachment', name))
    .header('content-length', range ? range.end - range.start + 1 : file.bytes);
  if (inline) reply.header('content-security-policy', REPORT_POLICY);
  if (range) reply.code(206).header('content-range', contentRange(range, file.bytes));
  return reply.send(bytes); // a stream keeps the Content-Length, for HEAD too
}

/** @throws STORED_FILE_MISSING · STORED_FILE_CORRUPT: why it is not there */
async function lost(store: ArtifactStore, digest: string): Promise<never> {
  (await store.getStream(digest)).destroy();
  throw new ServiceError('STORED_FILE_MISSING', { digest });
}

function wanted(request: FastifyRequest, reply: FastifyReply, etag: string, bytes: number) {
  const { range, 'if-range': ifRange } = request.headers;
  try {
    return rangeOf(range, ifRange as string | undefined, etag, bytes);
  } catch (error) {
    reply.header('content-range', `bytes */${bytes}`);
    throw error;
  }
}

const contentRange = ({ start, end }: { start: number; end: number }, bytes: number) =>
  `bytes ${start}-${end}/${bytes}`;

/** RFC 6266: an ASCII name for the old, the real one for everybody else. */
export function disposition(kind: 'inline' | 'attachment', name: string): string {
  const plain = name.replaceAll(/[^\w.-]/g, '_');
  const exact = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${exact}`;
}
