/** @file Data sets without a data.yaml: images with YOLO labels, class folders, images alone. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { ServiceError } from '../../src/contract/errors.ts';
import type { Sample, Split } from './dataset.ts';
import {
  byName,
  entriesOf,
  exists,
  filesUnder,
  isImage,
  isOtherImage,
  posixPath,
} from './files.ts';
import { type Layout, splitOfFolder, withLabels } from './layout.ts';
import { everyFifth } from './splits.ts';

/** Where class names stand, one a line, when there is no data.yaml. */
const NAME_LISTS = ['classes.txt', 'labels/classes.txt', 'obj.names', 'names.txt'];

/**
 * Read a folder by what lies in it. Label files: a YOLO set. None, and every image in one of two or more class
 * folders (under train/val/test or directly): classification. Else images alone.
 *
 * @throws DATASET_INVALID no image, or images in and outside split folders
 */
export async function openPlainFolder(root: string): Promise<Layout> {
  const files = await filesUnder(root);
  const images = files.filter(isImage).sort(byName);
  const others = files.filter(isOtherImage).length;
  if (images.length === 0)
    throw new ServiceError('DATASET_INVALID', {
      where: 'its folder',
      why: `no JPEG, PNG or WebP image was found${others > 0 ? ` (and ${others} of other kinds)` : ''}; valid are a data.yaml, class folders, or a folder of images`,
    });
  const layout = (await yoloFolder(root, images)) ?? (await imageFolders(root, images));
  const warnings =
    others > 0 ? [`${others} images were left out: only JPEG, PNG and WebP are read.`] : [];
  return { ...layout, warnings: [...layout.warnings, ...warnings] };
}

async function yoloFolder(root: string, images: readonly string[]): Promise<Layout | undefined> {
  const names = await namesList(root);
  const rules = { classCount: names?.classes.length, keypointValues: 0 };
  const { samples, files, warnings } = await withLabels(root, images, rules);
  if (files.size === 0) return undefined;
  const classes = names?.classes ?? numbered(samples);
  const used = new Map([...samples.map((s) => [s.name, s.file] as const), ...files]);
  if (names !== undefined) used.set(names.name, names.file);
  const unnamed =
    names === undefined
      ? [
          `No classes.txt or data.yaml names the classes: they are called by number, 0 to ${classes.length - 1}.`,
        ]
      : [];
  return {
    task: 'detect',
    classes,
    splits: bySplitFolder(samples),
    warnings: [...warnings, ...unnamed],
    used,
  };
}

async function namesList(
  root: string,
): Promise<{ name: string; file: string; classes: string[] } | undefined> {
  for (const name of NAME_LISTS) {
    const file = join(root, name);
    if ((await exists(file)) !== 'file') continue;
    const lines = (await readFile(file, 'utf8')).replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
    const classes = lines.map((line) => line.trim()).filter((line) => line !== '');
    if (classes.length > 0) return { name, file, classes };
  }
  return undefined;
}

function numbered(samples: readonly Sample[]): string[] {
  const highest = samples.reduce(
    (max, s) => (s.boxes ?? []).reduce((m, [cls]) => Math.max(m, cls), max),
    0,
  );
  return Array.from({ length: highest + 1 }, (_, i) => String(i));
}

async function imageFolders(root: string, images: readonly string[]): Promise<Layout> {
  const samples = images.map((file) => ({ name: posixPath(root, file), file }));
  const used = new Map(samples.map((s) => [s.name, s.file] as const));
  const classOf = (sample: Sample) => foldersOf(sample).find((f) => splitOfFolder(f) === undefined);
  const classes = await classFolders(root, samples);
  if (classes.length < 2 || samples.some((s) => classOf(s) === undefined))
    return {
      task: 'generic',
      classes: undefined,
      splits: bySplitFolder(samples),
      warnings: [],
      used,
    };
  const index = new Map(classes.map((name, i) => [name, i]));
  const labelled = samples.map((s) => ({ ...s, label: index.get(classOf(s)!)! }));
  return {
    task: 'classify',
    classes,
    splits: bySplitFolder(labelled),
    warnings: [],
    used,
  };
}

/** Names of the class folders of all splits, an empty one included: indices count in name order. */
async function classFolders(root: string, samples: readonly Sample[]): Promise<string[]> {
  const top = await entriesOf(root);
  const tops = samples.some((s) => splitOf(s))
    ? top.folders.filter((f) => splitOfFolder(f) !== undefined).map((f) => join(root, f))
    : [root];
  const names = new Set<string>();
  for (const folder of tops) for (const name of (await entriesOf(folder)).folders) names.add(name);
  return [...names].sort(byName);
}

const foldersOf = (sample: Sample): string[] => sample.name.split('/').slice(0, -1);

const splitOf = (sample: Sample): Split | undefined =>
  foldersOf(sample)
    .map(splitOfFolder)
    .find((split) => split !== undefined);

/** Splits by folder names; without any such folder, every fifth image is val. */
function bySplitFolder(samples: readonly Sample[]): Record<Split, readonly Sample[]> {
  const stray = samples.find((s) => splitOf(s) === undefined);
  if (stray === undefined)
    return {
      train: samples.filter((s) => splitOf(s) === 'train'),
      val: samples.filter((s) => splitOf(s) === 'val'),
      test: samples.filter((s) => splitOf(s) === 'test'),
    };
  if (samples.some((s) => splitOf(s) !== undefined))
    throw new ServiceError('DATASET_INVALID', {
      where: stray.name,
      why: 'it lies outside the split folders that other images lie in (train, val, test)',
    });
  return everyFifth(samples);
}
