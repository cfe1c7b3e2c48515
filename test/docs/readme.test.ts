/** @file What README and docs tell people to type and to open is there. */

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { expect, test } from 'vitest';

import { COMMANDS } from '../../cli/registry.ts';
import { STAGES } from '../../workers/stages/registry.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: ROOT });
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const scripts = Object.keys(JSON.parse(read('package.json')).scripts);

const every = (pattern: RegExp): [string, string][] =>
  pages.flatMap((page) =>
    [...read(page).matchAll(pattern)].map(([, x]) => [page, x!] as const),
  ) as [string, string][];

test('npm scripts that are named exist', () => {
  const named = every(/npm run (?:-s )?([a-z][a-z:-]*)/g);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter(([, script]) => !scripts.includes(script))).toEqual([]);
});

test('lathe commands that are named exist', () => {
  const named = every(/(?:lathe --|cli\/main\.ts|`lathe) ([a-z]+)/g);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter(([, command]) => !(command in COMMANDS))).toEqual([]);
});

test('stages that are named exist', () => {
  const named = every(/"stage": "([a-z-]+)"/g);
  expect(named.length).toBeGreaterThan(2);
  expect(named.filter(([, stage]) => !(stage in STAGES))).toEqual([]);
});

test('links to files lead somewhere', () => {
  const broken = every(/\]\(((?!https?:)[^)#\s]+)/g).filter(
    ([page, target]) => !existsSync(join(ROOT, dirname(page), target)),
  );
  expect(broken).toEqual([]);
});

test('files that ARCHITECTURE.md names exist', () => {
  const named = [
    ...read('ARCHITECTURE.md').matchAll(/`((?:src|workers|cli|sdk|test)\/[\w./-]+)`/g),
  ];
  expect(named.length).toBeGreaterThan(15);
  expect(named.map(([, file]) => file!).filter((file) => !existsSync(join(ROOT, file)))).toEqual(
    [],
  );
});

test('ARCHITECTURE.md gives a reason for every runtime dependency', () => {
  const text = read('ARCHITECTURE.md');
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: object };
  expect(Object.keys(dependencies).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

test('the changelog has an entry for the version of package.json', () => {
  expect(read('CHANGELOG.md')).toContain(`## ${JSON.parse(read('package.json')).version}`);
});
