/** @file What each way of laying out a data set yields, before it is named by its digest. */

import { readFile } from 'node:fs/promises';

import { ServiceError } from '../../src/contract/errors.ts';
import type { Dataset, Sample, Split } from './dataset.ts';
import { exists, posixPath, within } from './files.ts';
import { type LabelRules, labelFile, parseLabels } from './labels.ts';
import { mapParallel } from './parallel.ts';

export const SPLITS: readonly Split[] = ['train', 'val', 'test'];

export interface Layout extends Omit<Dataset, 'id'> {
  /** Posix path → file: what the digest covers. */
  readonly used: ReadonlyMap<string, string>;
}

const SPLIT_FOLDER = /^(?:(train)(?:ing)?|(val)(?:id|idation)?|(test)(?:ing)?)(?:_?\d{4})?$/i;

/** The split that a folder's name means: train, val, test and their usual variants (valid, training, val2017). */
export function splitOfFolder(name: string): Split | undefined {
  const found = SPLIT_FOLDER.exec(name)
    ?.slice(1)
    .find((word) => word !== undefined);
  return found?.toLowerCase() as Split | undefined;
}

export interface Labelled {
  readonly samples: readonly Sample[];
  /** Label files that exist, by posix path. */
  readonly files: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/**
 * Give images their boxes. An image without a label file, or with an empty one, is background, unless no image
 * of the whole data set has a label file: then there are no labels.
 *
 * @throws LABEL_INVALID the first line that is no label, and how many more there are
 */
export async function withLabels(
  root: string,
  images: readonly string[],
  rules: LabelRules,
): Promise<Labelled> {
  const files = new Map<string, string>();
  const counts = { clipped: 0, empty: 0, missing: 0 };
  const problems: { file: string; line: number; found: string; valid: string }[] = [];
  const read = await mapParallel(images, 16, async (image) => {
    const sample = { name: posixPath(root, image), file: image };
    const file = labelFile(image);
    // A folder of images that lies in a data set is images alone, as an archive of it would be.
    const foreign = within(root, image) && !within(root, file);
    if (foreign || (await exists(file)) !== 'file') return { sample, labels: undefined };
    return { sample, labels: { file, ...parseLabels(await readFile(file, 'utf8'), rules) } };
  });
  for (const { labels } of read) {
    if (labels === undefined) {
      counts.missing++;
      continue;
    }
    const name = posixPath(root, labels.file);
    files.set(name, labels.file);
    counts.clipped += labels.clipped;
    counts.empty += labels.empty;
    problems.push(...labels.problems.map((p) => ({ file: name, ...p })));
  }
  if (problems.length > 0)
    throw new ServiceError('LABEL_INVALID', { ...problems[0]!, more: problems.length - 1 });
  const samples = read.map(({ sample, labels }) =>
    files.size === 0
      ? sample
      : { ...sample, boxes: labels?.rows ?? [], ...(labels ? {} : { unlabelled: true as const }) },
  );
  return { samples, files, warnings: labelWarnings(counts, images.length) };
}

function labelWarnings(
  { clipped, empty, missing }: { clipped: number; empty: number; missing: number },
  images: number,
): string[] {
  const warnings: string[] = [];
  if (missing === images && images > 0)
    warnings.push('No image has a label file: the data set counts as images alone.');
  else if (missing > 0)
    warnings.push(`${missing} of ${images} images have no label file: they count as background.`);
  if (clipped > 0)
    warnings.push(`${clipped} label rows lay a little outside the image and were clipped to it.`);
  if (empty > 0) warnings.push(`${empty} label rows of zero width or height were left out.`);
  return warnings;
}
