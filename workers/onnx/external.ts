/** @file Models whose weights lie in files beside them: a folder with exactly one `.onnx` and its data files. */

import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { ServiceError } from '../../src/contract/errors.ts';
import type { Model } from './graph.ts';
import { type ReadOptions, readModel } from './read.ts';
import type { External } from './read-tensor.ts';
import { writeModel } from './write.ts';

/**
 * The one model of a bundle.
 *
 * @throws MODEL_UNREADABLE the folder holds no `.onnx`, or several
 */
export function bundledModel(folder: string): string {
  const found = readdirSync(folder).filter((name) => /\.onnx$/i.test(name));
  if (found.length === 1) return join(folder, found[0]!);
  const why =
    found.length === 0
      ? 'the bundle holds no file whose name ends in .onnx'
      : `the bundle holds ${found.length} .onnx files (${found.toSorted().slice(0, 5).join(', ')}), and must hold one`;
  throw new ServiceError('MODEL_UNREADABLE', { why });
}

/**
 * Read a model file, its external data from the files beside it. The written form holds everything in one file.
 *
 * @throws what `readModel` throws; MODEL_INVALID also where a data file is missing, a link or no plain file
 */
export function readModelFile(path: string, options: Omit<ReadOptions, 'external'> = {}): Model {
  return readModel(readWhole(path), { ...options, external: dataFiles(dirname(path)) });
}

/**
 * A model file as one file that holds everything, and the names of the data files that went into it.
 *
 * @returns the file's own bytes where it has no external data
 * @throws what `readModelFile` throws, but for `checkModel`
 */
export function selfContained(path: string): { bytes: Uint8Array; dataFiles: string[] } {
  const bytes = readWhole(path);
  const used = new Set<string>();
  const files = dataFiles(dirname(path));
  const external: External = (name) => {
    used.add(name);
    return files(name);
  };
  const model = readModel(bytes, { external, check: false });
  return { bytes: used.size === 0 ? bytes : writeModel(model), dataFiles: [...used] };
}

/** Data files of a folder, each read once. Names come checked: a plain name, without a path. */
export function dataFiles(folder: string): External {
  const files = new Map<string, Uint8Array>();
  return (name) => {
    const known = files.get(name);
    if (known) return known;
    const stat = lstatSync(join(folder, name), { throwIfNoEntry: false });
    if (!stat?.isFile()) {
      const what = stat === undefined ? 'is not there' : 'is a link or no plain file';
      throw new ServiceError('MODEL_INVALID', {
        where: `external data '${name}'`,
        why: `the file ${what}`,
      });
    }
    const bytes = readWhole(join(folder, name));
    files.set(name, bytes);
    return bytes;
  };
}

/** Also files over 2 GiB, which `readFileSync` refuses. */
function readWhole(path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(fstatSync(file).size);
    let at = 0;
    for (let got = -1; got !== 0 && at < bytes.length; at += got)
      got = readSync(file, bytes, at, Math.min(bytes.length - at, 2 ** 30), at);
    return bytes.subarray(0, at);
  } finally {
    closeSync(file);
  }
}
