/** @file Reading zip files. */

import { createInflateRaw } from 'node:zlib';
import yauzl from 'yauzl';

import { ServiceError } from '../../src/contract/errors.ts';
import { refused, type Unpacking } from './unpacking.ts';

/** Upper half of the external attributes where the maker was Unix: the file's mode. */
const UNIX = 3;
const KIND = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

const STORED = 0;
const DEFLATED = 8;

export async function extractZip(file: string, unpacking: Unpacking): Promise<void> {
  let zip: yauzl.ZipFile | undefined;
  try {
    zip = await yauzl.openPromise(file, { strictFileNames: true, autoClose: false });
    for await (const entry of zip.eachEntry()) await extractEntry(zip, entry, unpacking);
  } catch (cause) {
    throw cause instanceof ServiceError || (cause as NodeJS.ErrnoException).syscall !== undefined
      ? cause
      : refused(`the zip is damaged or unsafe (${(cause as Error).message})`);
  } finally {
    zip?.close();
  }
}

async function extractEntry(
  zip: yauzl.ZipFile,
  entry: yauzl.Entry,
  unpacking: Unpacking,
): Promise<void> {
  const name = unpacking.enter(entry.fileName);
  const mode = entry.versionMadeBy >> 8 === UNIX ? (entry.externalFileAttributes >>> 16) & KIND : 0;
  if (mode !== 0 && mode !== REGULAR && mode !== FOLDER)
    throw refused(`'${name}' is a link or a special file; only regular files are taken`);
  if (entry.fileName.endsWith('/')) return;
  if (entry.isEncrypted()) throw refused(`'${name}' is encrypted`);
  const stated = { bytes: entry.uncompressedSize, crc32: entry.crc32 };
  // Inflated here: where its own streams fail late, yauzl throws outside of any stream.
  const raw = await zip.openReadStreamPromise(entry, { decodeFileData: false });
  if (entry.compressionMethod === STORED) await unpacking.write(name, stated, raw);
  else if (entry.compressionMethod === DEFLATED)
    await unpacking.write(name, stated, raw, createInflateRaw());
  else
    throw refused(
      `'${name}' is compressed by method ${entry.compressionMethod}; valid are 0 and 8`,
    );
}
