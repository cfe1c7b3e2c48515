/** @file A data set on this machine as something to upload: an archive as it is, anything else packed into a tar. */

import { createWriteStream, openAsBlob } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, sep } from 'node:path';
import { finished } from 'node:stream/promises';
import { pack } from 'tar-stream';

import type { NamedBlob } from '../sdk/client.ts';
import { filesUnder } from '../workers/data/files.ts';
import { fileBlob } from './client.ts';

/** @param path an .onnx file, an archive, or a folder: a model with external data */
export async function packModel(path: string): Promise<NamedBlob> {
  return (await stat(path)).isDirectory() ? packFolder(path) : fileBlob(path);
}

const ARCHIVE = /\.(zip|tar|tgz|tar\.gz)$/i;

/** @param path an archive, a data.yaml (its folder is packed) or a folder */
export async function packFolder(path: string): Promise<NamedBlob> {
  if (ARCHIVE.test(path)) return fileBlob(path);
  const root = (await stat(path)).isDirectory() ? path : dirname(path);
  const folder = await mkdtemp(join(tmpdir(), 'lathe-pack-'));
  process.on('exit', () => void rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'dataset.tar');
  const tar = pack();
  const written = finished(tar.pipe(createWriteStream(file)));
  for (const path of await filesUnder(root)) {
    tar.entry({ name: relative(root, path).split(sep).join('/') }, await readFile(path));
  }
  tar.finalize();
  await written;
  return { data: await openAsBlob(file), name: `${basename(root)}.tar` };
}
