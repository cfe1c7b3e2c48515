/** @file Open a data set: find its layout, read its labels, name it by its digest. */

import { extname, join, resolve } from 'node:path';

import { ServiceError } from '../../src/contract/errors.ts';
import { readDataYaml } from './data-yaml.ts';
import type { Dataset } from './dataset.ts';
import { entriesOf, exists } from './files.ts';
import { type Layout, splitOfFolder } from './layout.ts';
import { manifestId } from './manifest.ts';
import { openPlainFolder } from './plain-folders.ts';
import { openYolo } from './yolo.ts';

export interface OpenOptions {
  /** An unpacked archive: `path:` in data.yaml is ignored, and nothing outside the folder is read. */
  readonly confined?: boolean;
  /** Its digest where it is known already: the files are then not hashed again. */
  readonly id?: string;
}

const YAML = new Set(['.yaml', '.yml']);

/**
 * @param path a data.yaml, a folder with one, class folders, a folder with images and YOLO labels, or images alone
 * @throws DATASET_INVALID what is missing or wrong, and where · LABEL_INVALID a line of a label file
 */
export async function openDataset(path: string, options: OpenOptions = {}): Promise<Dataset> {
  const { used, ...dataset } = await layoutOf(resolve(path), options.confined ?? false);
  return { id: options.id ?? (await manifestId(used)), ...dataset };
}

async function layoutOf(path: string, confined: boolean): Promise<Layout> {
  const kind = await exists(path);
  if (kind === undefined)
    throw new ServiceError('DATASET_INVALID', { where: path, why: 'it does not exist' });
  if (kind === 'folder') return folderLayout(path, confined);
  if (YAML.has(extname(path).toLowerCase())) return openYolo(path, confined);
  throw new ServiceError('DATASET_INVALID', {
    where: path,
    why: 'a file must be a data.yaml; valid too are a folder of images, class folders, and a folder that holds a data.yaml',
  });
}

async function folderLayout(folder: string, confined: boolean): Promise<Layout> {
  const root = await topFolder(folder);
  const yaml = await dataYamlIn(root);
  return yaml === undefined ? openPlainFolder(root) : openYolo(yaml, confined);
}

/** The folder itself, or the one that is all it holds (archives often have one top folder). */
async function topFolder(folder: string): Promise<string> {
  const { files, folders } = await entriesOf(folder);
  const [only] = folders;
  if (files.length > 0 || folders.length !== 1 || only === undefined) return folder;
  return only === 'images' || splitOfFolder(only) !== undefined
    ? folder
    : topFolder(join(folder, only));
}

/** data.yaml, or the one other YAML file that names a split. */
async function dataYamlIn(folder: string): Promise<string | undefined> {
  const { files } = await entriesOf(folder);
  for (const name of ['data.yaml', 'data.yml', 'dataset.yaml', 'dataset.yml'])
    if (files.includes(name)) return join(folder, name);
  const others: string[] = [];
  for (const name of files.filter((f) => YAML.has(extname(f).toLowerCase()))) {
    const yaml = await readDataYaml(join(folder, name)).catch(() => undefined);
    if (yaml !== undefined && (yaml.splits.train.length > 0 || yaml.splits.val.length > 0))
      others.push(name);
  }
  if (others.length > 1)
    throw new ServiceError('DATASET_INVALID', {
      where: 'its folder',
      why: `${others.join(' and ')} both describe splits; call the one to use data.yaml`,
    });
  return others[0] === undefined ? undefined : join(folder, others[0]);
}
