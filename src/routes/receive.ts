/** @file Receive one file: the raw body, or a part of a multipart one. */

import { Readable } from 'node:stream';
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';

import { parseReprDigest } from '../contract/digest.ts';
import { ServiceError } from '../contract/errors.ts';
import { cleanName } from '../intake/file-name.ts';
import type { Received } from '../intake/take.ts';
import type { Uploads } from '../storage/uploads.ts';
import type { Collaborators } from './collaborators.ts';

/** Boundaries and headers of parts, generously. */
const MULTIPART_OVERHEAD = 64 * 1024;

/**
 * The file of a request with one file in it.
 *
 * @param limit its largest size in bytes
 * @throws QUOTA_EXCEEDED · PAYLOAD_TOO_LARGE · DIGEST_MISMATCH · UPLOAD_INCOMPLETE · MULTIPART_INVALID · STORAGE_FULL
 */
export async function receiveFile(
  request: FastifyRequest,
  { uploads, quotas }: Pick<Collaborators, 'uploads' | 'quotas'>,
  limit: number,
  name: string | undefined,
): Promise<Received> {
  const sha256 = announcedDigest(request);
  refuseTooLong(request, limit);
  const receive = () => receiveBody(request, uploads, limit, name, sha256);
  return withinQuota(request, quotas, receive, ({ upload }) => upload.bytes);
}

/**
 * Bytes that the request announces are taken from the tenant's quota before they travel; those of a request without a
 * length are counted once they have arrived.
 *
 * @throws QUOTA_EXCEEDED
 */
export async function withinQuota<T>(
  { tenant, headers }: FastifyRequest,
  quotas: Collaborators['quotas'],
  receive: () => Promise<T>,
  bytesOf: (received: T) => number,
): Promise<T> {
  await quotas.admitUpload(tenant, Number(headers['content-length'] ?? 0));
  const received = await receive();
  if (headers['content-length'] === undefined) await quotas.chargeUpload(tenant, bytesOf(received));
  return received;
}

async function receiveBody(
  request: FastifyRequest,
  uploads: Uploads,
  limit: number,
  name: string | undefined,
  sha256: string | undefined,
): Promise<Received> {
  if (request.isMultipart()) return receiveOnlyPart(request, uploads, limit, name, sha256);
  const body = request.body as Readable | undefined;
  if (body === undefined) throw new ServiceError('UPLOAD_INCOMPLETE', { why: 'there is no body' });
  if (!(body instanceof Readable)) throw notBytes(request);
  // Refused half-way, the request must live on: its connection carries the answer.
  const chunks = body.iterator({ destroyOnReturn: false });
  const upload = await uploads.receive(chunks, { limit, ...(sha256 && { sha256 }) });
  return nonEmpty({ upload, name: cleanName(name ?? attachmentName(request)) });
}

const notBytes = ({ headers }: FastifyRequest) =>
  new ServiceError('UNSUPPORTED_MEDIA_TYPE', {
    found: headers['content-type'] ?? 'missing',
    valid: 'application/octet-stream, or multipart/form-data with the part file',
  });

/** Content-Length is believed where it says too much, and counted where it says little. */
export function refuseTooLong(request: FastifyRequest, limit: number): void {
  const most = request.isMultipart() ? limit + MULTIPART_OVERHEAD : limit;
  if (Number(request.headers['content-length'] ?? 0) > most)
    throw new ServiceError('PAYLOAD_TOO_LARGE', { what: 'upload', limit });
}

/** What Repr-Digest says. @throws REQUEST_INVALID */
export function announcedDigest({ headers }: FastifyRequest): string | undefined {
  const header = headers['repr-digest'];
  const digest = typeof header === 'string' ? parseReprDigest(header) : undefined;
  if (digest !== null) return digest;
  const detail = 'is not a digest; valid is sha-256=:<base64 of 32 bytes>:';
  throw new ServiceError('REQUEST_INVALID', {
    errors: [{ pointer: 'headers/repr-digest', detail }],
  });
}

async function receiveOnlyPart(
  request: FastifyRequest,
  uploads: Uploads,
  limit: number,
  name: string | undefined,
  sha256: string | undefined,
): Promise<Received> {
  let received: Received | undefined;
  try {
    for await (const part of request.parts({ limits: { fileSize: limit + 1 } })) {
      if (part.fieldname !== 'file') throw unknownPart(part.fieldname, ['file']);
      if (received) throw new ServiceError('MULTIPART_INVALID', { why: "'file' comes twice" });
      received = await receivePart(part, uploads, limit, sha256);
    }
  } catch (error) {
    await received?.upload.discard();
    throw error;
  }
  if (!received) throw new ServiceError('MULTIPART_INVALID', { why: "the part 'file' is missing" });
  return name === undefined ? received : { ...received, name: cleanName(name) };
}

type Part = MultipartFile | { readonly type: 'field'; readonly fieldname: string };

/** @throws MULTIPART_INVALID the part is text */
export async function receivePart(
  part: Part,
  uploads: Uploads,
  limit: number,
  sha256?: string,
): Promise<Received> {
  if (part.type !== 'file') {
    const why = `'${part.fieldname}' has no file name, so it is text and not a file (curl: -F ${part.fieldname}=@FILE)`;
    throw new ServiceError('MULTIPART_INVALID', { why });
  }
  const upload = await uploads.receive(part.file, { limit, ...(sha256 && { sha256 }) });
  if (part.file.truncated) {
    await upload.discard();
    throw new ServiceError('PAYLOAD_TOO_LARGE', { what: `part '${part.fieldname}'`, limit });
  }
  return nonEmpty({ upload, name: cleanName(part.filename) });
}

export const unknownPart = (found: string, valid: readonly string[]) =>
  new ServiceError('MULTIPART_INVALID', {
    why: `'${found}' is not a part of this request; valid are ${valid.join(', ')}`,
  });

async function nonEmpty(received: Received): Promise<Received> {
  if (received.upload.bytes > 0) return received;
  await received.upload.discard();
  throw new ServiceError('UPLOAD_INCOMPLETE', { why: 'the file is empty' });
}

function attachmentName({ headers }: FastifyRequest): string | undefined {
  const [, quoted, plain] =
    /filename="([^"]+)"|filename=([^;\s]+)/i.exec(headers['content-disposition'] ?? '') ?? [];
  return quoted ?? plain;
}
