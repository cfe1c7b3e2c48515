/** @file docs/errors.md and the tables of errors name the same codes. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { ERRORS } from '../../src/contract/errors.ts';

const text = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8');
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

test('every code has an HTTP status of an error', () => {
  const others = Object.entries(ERRORS).filter(([, { status }]) => status < 400 || status > 599);
  expect(others).toEqual([]);
});
