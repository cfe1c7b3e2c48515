/** @file Unpacking archives that strangers send: zip, tar, tar.gz, told apart by content. */

import { open } from 'node:fs/promises';

import { ServiceError } from '../../src/contract/errors.ts';
import { extractTar, isTarHeader } from './archive-tar.ts';
import { extractZip } from './archive-zip.ts';
import { type ArchiveLimits, DEFAULT_LIMITS, Unpacking } from './unpacking.ts';

/** Forms that are recognised in order to be refused by name. */
const OTHERS: readonly (readonly [string, readonly number[]])[] = [
  ['7z', [0x37, 0x7a, 0xbc, 0xaf]],
  ['rar', [0x52, 0x61, 0x72, 0x21]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/**
 * Unpack `file` into `folder`, which must exist and be empty. Only regular files come out; everything is checked while
 * it streams, so a bomb stops at the limit. On failure whatever was written stays: delete the folder.
 *
 * @throws ARCHIVE_INVALID no zip, tar or tar.gz; damaged; a link, device or encrypted entry; a name that is absolute,
 *   has `..`, a backslash or a drive, or comes twice
 * @throws ARCHIVE_TOO_LARGE more files, bytes or expansion than `limits` allow
 */
export async function extractArchive(
  file: string,
  folder: string,
  limits: Partial<ArchiveLimits> = {},
): Promise<void> {
  const { head, size } = await beginning(file);
  const unpacking = new Unpacking(folder, size, { ...DEFAULT_LIMITS, ...limits });
  if (isZip(head)) await extractZip(file, unpacking);
  else if (startsWith(head, [0x1f, 0x8b])) await extractTar(file, true, unpacking);
  else if (isTarHeader(head)) await extractTar(file, false, unpacking);
  else
    throw new ServiceError('ARCHIVE_INVALID', {
      why: `it is ${formOf(head)}; valid are zip, tar and tar.gz`,
    });
  if (unpacking.files === 0) throw new ServiceError('ARCHIVE_INVALID', { why: 'it holds no file' });
}

/** Whether a file begins as a zip, tar or tar.gz does. */
export async function isArchive(file: string): Promise<boolean> {
  const { head } = await beginning(file);
  return isZip(head) || startsWith(head, [0x1f, 0x8b]) || isTarHeader(head);
}

async function beginning(file: string): Promise<{ head: Uint8Array; size: number }> {
  const handle = await open(file);
  try {
    const head = new Uint8Array(512);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    return { head: head.subarray(0, bytesRead), size: (await handle.stat()).size };
  } finally {
    await handle.close();
  }
}

const startsWith = (bytes: Uint8Array, prefix: readonly number[]): boolean =>
  prefix.every((b, i) => bytes[i] === b);

/** A local file header, or the end record of an empty archive. */
const isZip = (head: Uint8Array): boolean =>
  startsWith(head, [0x50, 0x4b, 3, 4]) || startsWith(head, [0x50, 0x4b, 5, 6]);

function formOf(head: Uint8Array): string {
  if (head.length === 0) return 'empty (0 bytes)';
  const other = OTHERS.find(([, magic]) => startsWith(head, magic));
  return other === undefined ? 'no archive' : `${other[0]}`;
}
