import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { compileCache } from '../../../workers/supervision/compile-cache.ts';

function workDir(mode: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'lathe-compiled-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, mode);
  return folder;
}

test('compiled code lies where nobody else can write', () => {
  const folder = compileCache(workDir(0o755))!;

  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test.each([
  ['a work folder that others may write', () => workDir(0o777)],
  ['a work folder that cannot be made', () => '/dev/null/work'],
])('%s: none is kept', (_, folder) => {
  expect(compileCache(folder())).toBeUndefined();
});
