/** @file Hash a file, or a stream while it is written to one. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

import { ServiceError } from '../contract/errors.ts';
import type { PutOptions, Stored } from './artifact-store.ts';

/** Codes of a file system that has no room: the disk, the quota, the largest file of the process. */
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** STORAGE_FULL where the disk is the reason, otherwise the error itself. */
export function storageError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code !== undefined && NO_ROOM.has(code)
    ? new ServiceError('STORAGE_FULL', {}, { cause: error })
    : error;
}

/**
 * The file is on the disk (fsync) when this returns, and removed again when it throws.
 *
 * @throws PAYLOAD_TOO_LARGE · DIGEST_MISMATCH · STORAGE_FULL
 */
export async function writeHashed(
  source: AsyncIterable<Uint8Array>,
  path: string,
  { limit = Number.POSITIVE_INFINITY, sha256 }: PutOptions = {},
): Promise<Stored> {
  const hash = createHash('sha256');
  let bytes = 0;
  async function* counted() {
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > limit) throw new ServiceError('PAYLOAD_TOO_LARGE', { what: 'upload', limit });
      hash.update(chunk);
      yield chunk;
    }
  }
  try {
    // Open before anything can fail: a file that is still being opened would come back after its removal.
    const file = await open(path, 'wx');
    await pipeline(counted, file.createWriteStream({ flush: true }));
    const digest = `sha256:${hash.digest('hex')}` as const;
    if (sha256 !== undefined && sha256 !== digest)
      throw new ServiceError('DIGEST_MISMATCH', { expected: sha256, found: digest });
    return { digest, bytes };
  } catch (error) {
    await rm(path, { force: true });
    throw storageError(error);
  }
}

/** Hash a file that lies where it is. @throws DIGEST_MISMATCH */
export async function hashFile(path: string, options: PutOptions): Promise<Stored> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  const digest = `sha256:${hash.digest('hex')}` as const;
  if (options.sha256 !== undefined && options.sha256 !== digest)
    throw new ServiceError('DIGEST_MISMATCH', { expected: options.sha256, found: digest });
  return { digest, bytes };
}
