/** @file `npm run bench -- NAME ARGS`: one file of bench/; without a name, lists them. */

import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const [name, ...args] = process.argv.slice(2);
const files = globSync('bench/*.ts', { cwd: ROOT }).sort();
const file = files.find((f) => basename(f, '.ts') === name);

if (file) {
  const { status } = spawnSync(process.execPath, [join(ROOT, file), ...args], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} else {
  if (name !== undefined) console.error(`There is no benchmark '${name}'.`);
  for (const f of files) console.log(`${basename(f, '.ts').padEnd(16)} ${question(f)}`);
  process.exitCode = name === undefined ? 0 : 2;
}

/** The sentence of the file's comment. */
function question(f: string): string {
  return /@file (.+?)(?: \*\/)?$/m.exec(readFileSync(join(ROOT, f), 'utf8'))?.[1] ?? '';
}
