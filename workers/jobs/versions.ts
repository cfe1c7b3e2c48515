/** @file Which Lathe and which onnxruntime this is: part of results, stage keys and reports. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

interface Package {
  readonly name: string;
  readonly version: string;
}

const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Package;

/** The package.json above this file: sources and dist/ lie at different depths. */
function ownPackage(folder = import.meta.dirname): Package {
  const file = join(folder, 'package.json');
  if (existsSync(file) && read(file).name) return read(file);
  return ownPackage(dirname(folder));
}

export const LATHE = ownPackage().version;
export const ONNXRUNTIME = read(
  createRequire(import.meta.url).resolve('onnxruntime-node/package.json'),
).version;
