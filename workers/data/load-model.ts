/** @file A model from wherever it lies: a file, a file with data files beside it, a folder, an archive of these. */

import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

import type { Digest } from '../../src/contract/digest.ts';
import { bundledModel, selfContained } from '../onnx/external.ts';
import { extractArchive, isArchive } from './archive.ts';
import { manifestId } from './manifest.ts';

export interface LoadedModel {
  /** One file that holds everything. */
  readonly bytes: Uint8Array;
  /** sha256:<64 hex>: of the file; of the manifest of its files where it has external data. */
  readonly id: string;
}

/**
 * @param scratch where archives are unpacked
 * @throws MODEL_UNREADABLE · MODEL_INVALID · MODEL_TOO_COMPLEX · ARCHIVE_INVALID · ARCHIVE_TOO_LARGE
 */
export async function loadModel(path: string, scratch = tmpdir()): Promise<LoadedModel> {
  if ((await stat(path)).isDirectory()) return loadFile(bundledModel(path));
  if (!(await isArchive(path))) return loadFile(path);
  const folder = await mkdtemp(join(scratch, 'model-'));
  try {
    await extractArchive(path, folder);
    return await loadFile(bundledModel(await insideTopFolder(folder)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function loadFile(path: string): Promise<LoadedModel> {
  const { bytes, dataFiles } = selfContained(path);
  if (dataFiles.length === 0) return { bytes, id: digestOf(bytes) };
  const names = [basename(path), ...dataFiles];
  const files = new Map(names.map((name) => [name, join(dirname(path), name)]));
  return { bytes, id: await manifestId(files) };
}

/** sha256:<64 hex> of a file's bytes. */
export const digestOf = (bytes: Uint8Array): Digest =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** An archive may hold one folder that holds the rest. */
async function insideTopFolder(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  const [only] = entries;
  return entries.length === 1 && only!.isDirectory() ? join(folder, only!.name) : folder;
}
