/** @file Artifacts to files: whole and with the right digest, or not at all. */

import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';

import type { LatheClient } from '../sdk/client.ts';

/** @returns the files written */
export async function download(api: LatheClient, job: string, folder: string): Promise<string[]> {
  const { items } = await api.artifacts(job);
  const files: string[] = [];
  for (const { name, digest } of items) {
    const file = resolve(folder, name);
    if (relative(resolve(folder), file).split(sep)[0] === '..')
      throw new Error(`The server names an artifact '${name}' outside the folder.`);
    await mkdir(dirname(file), { recursive: true });
    await fetchTo(file, (await api.artifact(job, name)) as ReadableStream, digest);
    files.push(join(folder, name));
  }
  return files;
}

async function fetchTo(file: string, body: ReadableStream, digest: string): Promise<void> {
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const temporary = `${file}.part`;
  try {
    const target = await open(temporary, 'w');
    await pipeline(Readable.fromWeb(body), hashing, target.createWriteStream());
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== digest)
      throw new Error(
        `'${file}' came with another digest (${found}) than the server states (${digest}).`,
      );
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
