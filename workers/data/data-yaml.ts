/** @file data.yaml: which images form which split, and what the classes are called. */

import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { parse } from 'yaml';

import { ServiceError } from '../../src/contract/errors.ts';
import type { Split } from './dataset.ts';

export interface DataYaml {
  /** Base of the splits' paths, as written. */
  readonly path: string | undefined;
  /** Folders and .txt lists of each split, as written. */
  readonly splits: Readonly<Record<Split, readonly string[]>>;
  /** Undefined: neither names nor nc. */
  readonly classes: readonly string[] | undefined;
  /** Values per row after the box: the product of kpt_shape, else 0. */
  readonly keypointValues: number;
}

const LARGEST = 4 * 2 ** 20;

/** @throws DATASET_INVALID the file is not YAML, or a field is not what it must be */
export async function readDataYaml(file: string): Promise<DataYaml> {
  const name = basename(file);
  const invalid = (field: string, why: string): ServiceError =>
    new ServiceError('DATASET_INVALID', { where: field ? `${name}, ${field}` : name, why });
  if ((await stat(file)).size > LARGEST) throw invalid('', `it is larger than ${LARGEST} bytes`);
  let document: unknown;
  try {
    document = parse(await readFile(file, 'utf8'), { maxAliasCount: 100 });
  } catch (cause) {
    throw invalid('', `it is not YAML (${String((cause as Error).message).split('\n')[0]})`);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw invalid('', 'found no fields; valid are path, train, val, test, names, nc');
  const fields = document as Record<string, unknown>;
  const path = fields['path'] ?? undefined;
  if (path !== undefined && typeof path !== 'string') throw invalid('path', 'it must be a string');
  return {
    path,
    splits: {
      train: splitPaths(fields['train'], 'train', invalid),
      val: splitPaths(fields['val'] ?? fields['valid'] ?? fields['validation'], 'val', invalid),
      test: splitPaths(fields['test'], 'test', invalid),
    },
    classes: classNames(fields['names'], fields['nc'], invalid),
    keypointValues: keypoints(fields['kpt_shape']),
  };
}

type Invalid = (field: string, why: string) => ServiceError;

function splitPaths(value: unknown, field: string, invalid: Invalid): readonly string[] {
  if (value === undefined || value === null || value === '') return [];
  const paths = Array.isArray(value) ? value : [value];
  if (!paths.every((p) => typeof p === 'string' && p !== ''))
    throw invalid(field, 'it must be a folder, a .txt list of images, or a list of those');
  return paths as string[];
}

/** `names` as a list or as a map 0…n−1 → name; `nc` must agree with it, or stands alone. */
function classNames(names: unknown, nc: unknown, invalid: Invalid): readonly string[] | undefined {
  const list = namesList(names, invalid);
  if (nc === undefined || nc === null) return list;
  if (!Number.isInteger(nc) || (nc as number) < 1)
    throw invalid('nc', `found ${JSON.stringify(nc)}; valid is a whole number from 1`);
  if (list === undefined) return Array.from({ length: nc as number }, (_, i) => String(i));
  if (list.length !== nc)
    throw invalid('nc', `it says ${nc} classes, names has ${list.length}; both must agree`);
  return list;
}

function namesList(names: unknown, invalid: Invalid): readonly string[] | undefined {
  if (names === undefined || names === null) return undefined;
  if (typeof names !== 'object')
    throw invalid('names', 'it must be a list of names or a map from 0…n−1 to names');
  const entries = Object.entries(names);
  if (entries.length === 0) throw invalid('names', 'it is empty; at least one class is needed');
  const list: string[] = [];
  for (const [key, value] of entries) {
    const index = Number(key);
    if (!/^\d+$/.test(key) || index >= entries.length)
      throw invalid('names', `found the key '${key}'; valid are 0 to ${entries.length - 1}`);
    if (typeof value === 'object')
      throw invalid('names', `the name of class ${key} must be a string`);
    list[index] = String(value);
  }
  return list;
}

function keypoints(shape: unknown): number {
  if (!Array.isArray(shape) || shape.length !== 2) return 0;
  const [count, values] = shape.map(Number) as [number, number];
  return Number.isInteger(count * values) && count * values > 0 ? count * values : 0;
}
