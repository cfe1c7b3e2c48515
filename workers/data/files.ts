/** @file Finding files in a data set's folder: links are followed, hidden files are not seen. */

import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, isAbsolute, join, relative, sep } from 'node:path';

import { ServiceError } from '../../src/contract/errors.ts';

/** What an image file may be called; what it is, its content says (decode.ts). */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set(['.jpg', '.jpeg', '.png', '.webp']);
/** Kinds of image that Lathe does not read: worth a warning where they lie among others. */
const OTHER_IMAGES: ReadonlySet<string> = new Set(
  '.bmp .gif .tif .tiff .heic .heif .avif .jp2 .jxl .dng .mpo .pfm .ppm'.split(' '),
);
const DEEPEST = 16;

export const isImage = (name: string): boolean => IMAGE_EXTENSIONS.has(extname(name).toLowerCase());
export const isOtherImage = (name: string): boolean =>
  OTHER_IMAGES.has(extname(name).toLowerCase());

const hidden = (name: string) => name.startsWith('.') || name === '__MACOSX';

/** Code unit order: the same on every machine and in every locale. */
export const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const posixPath = (root: string, file: string): string =>
  relative(root, file).split(sep).join('/');

/** Whether `path` is `root` or lies below it. */
export function within(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

export interface Entries {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** Names in one folder, sorted, links resolved, hidden ones left out. */
export async function entriesOf(folder: string): Promise<Entries> {
  const files: string[] = [];
  const folders: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (hidden(entry.name)) continue;
    const kind = await kindOf(folder, entry);
    if (kind === 'file') files.push(entry.name);
    if (kind === 'folder') folders.push(entry.name);
  }
  return { files: files.sort(byName), folders: folders.sort(byName) };
}

async function kindOf(folder: string, entry: Dirent): Promise<'file' | 'folder' | undefined> {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  if (!entry.isSymbolicLink()) return undefined;
  const target = await stat(join(folder, entry.name)).catch(() => undefined);
  return target?.isFile() ? 'file' : target?.isDirectory() ? 'folder' : undefined;
}

/**
 * Every file under `folder`, folder by folder.
 *
 * @throws DATASET_INVALID folders nested too deeply, or a link that leads back to a folder above it
 */
export async function filesUnder(
  folder: string,
  depth = 0,
  above = new Set<string>(),
): Promise<string[]> {
  const real = await realpath(folder);
  if (depth > DEEPEST || above.has(real))
    throw new ServiceError('DATASET_INVALID', {
      where: folder,
      why: above.has(real)
        ? 'a link leads back to a folder that contains it'
        : `folders are nested more than ${DEEPEST} deep`,
    });
  const { files, folders } = await entriesOf(folder);
  const below = new Set([...above, real]);
  const found = files.map((name) => join(folder, name));
  for (const name of folders)
    found.push(...(await filesUnder(join(folder, name), depth + 1, below)));
  return found;
}

export async function exists(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? 'file' : found?.isDirectory() ? 'folder' : undefined;
}
