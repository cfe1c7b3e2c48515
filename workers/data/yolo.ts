/** @file A YOLO data set described by a data.yaml. */

import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, isAbsolute, relative, resolve } from 'node:path';

import { ServiceError } from '../../src/contract/errors.ts';
import { type DataYaml, readDataYaml } from './data-yaml.ts';
import type { Sample, Split } from './dataset.ts';
import { byName, exists, filesUnder, isImage, posixPath, within } from './files.ts';
import { type Layout, SPLITS, withLabels } from './layout.ts';

interface Source {
  /** Folder that names are relative to. */
  readonly root: string;
  /** True: an unpacked archive. `path:` is ignored and nothing outside `root` is read. */
  readonly confined: boolean;
}

/**
 * Images and labels of every split that `yamlFile` names.
 *
 * @throws DATASET_INVALID a split's folder, list or image does not exist, or lies outside a confined root
 * @throws LABEL_INVALID
 */
export async function openYolo(yamlFile: string, confined: boolean): Promise<Layout> {
  const yaml = await readDataYaml(yamlFile);
  const source = { root: await rootOf(yamlFile, yaml, confined), confined };
  const yamlName = relative(source.root, yamlFile).startsWith('..')
    ? basename(yamlFile)
    : posixPath(source.root, yamlFile);
  const used = new Map([[yamlName, yamlFile]]);
  const images = await splitImages(source, yaml, used, yamlName);

  const all = [...new Set(SPLITS.flatMap((split) => images[split]))];
  if (all.length === 0)
    throw new ServiceError('DATASET_INVALID', {
      where: yamlName,
      why: 'it names no image; train, val or test must hold JPEG, PNG or WebP files',
    });
  const rules = { classCount: yaml.classes?.length, keypointValues: yaml.keypointValues };
  const { samples, files, warnings } = await withLabels(source.root, all, rules);
  if (files.size > 0 && yaml.classes === undefined)
    throw new ServiceError('DATASET_INVALID', {
      where: `${yamlName}, names`,
      why: 'it is missing; the classes of the labels need names (or nc, their number)',
    });
  for (const sample of samples) used.set(sample.name, sample.file);
  for (const [name, file] of files) used.set(name, file);
  const byFile = new Map(samples.map((sample) => [sample.file, sample]));
  const splits = {
    train: samplesOf(images.train, byFile),
    val: samplesOf(images.val, byFile),
    test: samplesOf(images.test, byFile),
  };
  return {
    task: files.size > 0 ? 'detect' : 'generic',
    classes: yaml.classes,
    splits,
    warnings: [...warnings, ...splitWarnings(splits)],
    used,
  };
}

const samplesOf = (files: readonly string[], byFile: ReadonlyMap<string, Sample>): Sample[] =>
  files.map((file) => byFile.get(file)!).sort((a, b) => byName(a.name, b.name));

async function rootOf(yamlFile: string, yaml: DataYaml, confined: boolean): Promise<string> {
  const folder = dirname(resolve(yamlFile));
  if (confined || yaml.path === undefined) return folder;
  const root = resolve(folder, yaml.path);
  // A `path:` from another machine is common, and the images then lie beside the file.
  return (await exists(root)) === 'folder' ? root : folder;
}

async function splitImages(
  source: Source,
  yaml: DataYaml,
  used: Map<string, string>,
  yamlName: string,
): Promise<Record<Split, readonly string[]>> {
  const images: Record<Split, readonly string[]> = { train: [], val: [], test: [] };
  for (const split of SPLITS) {
    const found = new Set<string>();
    for (const written of yaml.splits[split]) {
      const where = `${yamlName}, ${split}`;
      const path = await locate(source, source.root, written, where);
      if (extname(path).toLowerCase() === '.txt') {
        used.set(posixPath(source.root, path), path);
        for (const image of await listed(source, path)) found.add(image);
      } else {
        for (const file of await imagesAt(path, where)) found.add(file);
      }
    }
    images[split] = [...found];
  }
  return images;
}

async function imagesAt(path: string, where: string): Promise<string[]> {
  if ((await exists(path)) === 'folder') return (await filesUnder(path)).filter(isImage);
  if (isImage(path)) return [path];
  throw new ServiceError('DATASET_INVALID', {
    where,
    why: `'${basename(path)}' is neither a folder nor a .txt list of images`,
  });
}

/** The images that a .txt list names, one a line, relative to the list's folder or the data set's. */
async function listed(source: Source, list: string): Promise<string[]> {
  const images: string[] = [];
  const name = posixPath(source.root, list);
  for (const [i, line] of (await readFile(list, 'utf8')).split(/\r\n|\n|\r/).entries()) {
    const written = line.trim();
    if (written === '') continue;
    const where = `${name}, line ${i + 1}`;
    const image = await locate(source, dirname(list), written, where);
    if (!isImage(image))
      throw new ServiceError('DATASET_INVALID', {
        where,
        why: `'${written.slice(0, 200)}' is not called .jpg, .jpeg, .png or .webp`,
      });
    images.push(image);
  }
  return images;
}

/**
 * Where a written path leads: from `base`, from the root, or, as some exporters write splits, with one `../`
 * too many.
 */
async function locate(
  { root, confined }: Source,
  base: string,
  written: string,
  where: string,
): Promise<string> {
  const text = written.replaceAll('\\', '/');
  const tries = [resolve(base, text), resolve(root, text)];
  if (text.startsWith('../')) tries.push(resolve(root, text.slice(3)));
  const inside = confined ? tries.filter((path) => !isAbsolute(text) && within(root, path)) : tries;
  for (const path of inside) if ((await exists(path)) !== undefined) return path;
  throw new ServiceError('DATASET_INVALID', {
    where,
    why:
      inside.length === 0
        ? `'${written.slice(0, 200)}' leads outside the archive`
        : `'${written.slice(0, 200)}' does not exist (looked for ${inside.map((p) => posixPath(root, p)).join(', ')})`,
  });
}

function splitWarnings(splits: Readonly<Record<Split, readonly Sample[]>>): string[] {
  const warnings: string[] = [];
  const train = new Set(splits.train.map((s) => s.file));
  for (const split of ['val', 'test'] as const) {
    const shared = splits[split].filter((s) => train.has(s.file)).length;
    if (shared > 0)
      warnings.push(
        `${shared} of the ${splits[split].length} ${split} images are train images too: the figures on ${split} flatter.`,
      );
  }
  if (splits.val.length === 0)
    warnings.push('There is no val split: nothing can be evaluated on it.');
  if (splits.train.length === 0)
    warnings.push('There is no train split: stages that calibrate or learn cannot run.');
  return warnings;
}
