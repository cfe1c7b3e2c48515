/** @file What is installed with the service: nothing that is given up, nothing that runs scripts unasked, all of it audited. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

interface Package {
  readonly deprecated?: string;
  readonly hasInstallScript?: boolean;
}

const packages = Object.entries(
  JSON.parse(read('package-lock.json')).packages as Record<string, Package>,
).map(([path, about]) => [path.replace(/^.*node_modules\//, ''), about] as const);

test('no package is deprecated', () => {
  expect(packages.length).toBeGreaterThan(100);
  expect(packages.filter(([, { deprecated }]) => deprecated !== undefined)).toEqual([]);
});

test('install scripts are those that allowScripts knows', () => {
  const { allowScripts } = JSON.parse(read('package.json')) as { allowScripts: object };
  const withScripts = packages.filter(([, p]) => p.hasInstallScript).map(([name]) => name);

  expect(new Set(withScripts)).toEqual(new Set(Object.keys(allowScripts)));
});

test('the workflow asks for known holes in runtime dependencies', () => {
  expect(read('.github/workflows/ci.yml')).toContain(
    '- run: npm audit --omit=dev --audit-level=high\n',
  );
});
