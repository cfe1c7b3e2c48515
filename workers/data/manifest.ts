/** @file The name of a data set: a digest over the names and contents of the files it uses. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

import { mapParallel } from './parallel.ts';

/**
 * id = sha256 of the manifest: one line `<sha256 of the file>  <posix path>\n` per file, sorted by bytes.
 * (As `sha256sum FILES | LC_ALL=C sort | sha256sum`.) Paths are relative to the data set's own folder, so an
 * archive, with or without a top folder, and the folder it was made from agree.
 *
 * @param files posix path inside the data set → file on this machine
 * @returns sha256:<64 hex>
 */
export async function manifestId(files: ReadonlyMap<string, string>): Promise<string> {
  const lines = await mapParallel([...files], 4, async ([name, file]) =>
    Buffer.from(`${await sha256Of(file)}  ${name}\n`),
  );
  const hash = createHash('sha256');
  for (const line of lines.sort(Buffer.compare)) hash.update(line);
  return `sha256:${hash.digest('hex')}`;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
