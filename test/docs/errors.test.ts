/** @file docs/errors.md and the tables of errors name the same codes. */

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { ERRORS } from '../../src/contract/errors.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
const sections = new Map(
  text
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.split('\n', 1)[0]!, section.split('\n').slice(1).join('\n').trim()]),
);

test('every code has its paragraph', () => {
  const undocumented = Object.keys(ERRORS).filter((code) => !sections.get(code));
  expect(undocumented).toEqual([]);
});

test('every paragraph has its code', () => {
  expect([...sections.keys()].filter((code) => !(code in ERRORS))).toEqual([]);
});

test('no code is documented twice', () => {
  expect(text.match(/^## /gm)?.length).toBe(sections.size);
});

test('every code is asked for by a test that provokes it', () => {
  const tests = globSync('test/**/*.ts', { cwd: ROOT })
    .filter((file) => !file.startsWith('test/docs/'))
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n');
  const never = Object.keys(ERRORS).filter((code) => !new RegExp(`\\b${code}\\b`).test(tests));
  expect(never).toEqual([]);
});

test('every code has an HTTP status of an error', () => {
  const others = Object.entries(ERRORS).filter(([, { status }]) => status < 400 || status > 599);
  expect(others).toEqual([]);
});
