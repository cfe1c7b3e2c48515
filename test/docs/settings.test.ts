/** @file The README's table of settings is the one in src/config.ts. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { VARIABLES } from '../../src/config.ts';

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');

test('README lists every setting with its default', () => {
  const rows = Object.entries(VARIABLES).map(
    ([name, { fallback, description }]) => `| \`${name}\` | ${shown(fallback)} | ${description} |`,
  );
  const expected = ['| variable | default | |', '|---|---|---|', ...rows].join('\n');
  expect(readme).toContain(expected);
});

/** 268435456 → 256 MiB; '', [] and {} → nothing. */
function shown(fallback: unknown): string {
  if (typeof fallback === 'boolean') return fallback ? '`1`' : '`0`';
  if (typeof fallback === 'object' || fallback === '') return '';
  if (typeof fallback === 'number' && fallback >= 2 ** 20 && fallback % 2 ** 20 === 0)
    return fallback % 2 ** 30 === 0 ? `\`${fallback / 2 ** 30}g\`` : `\`${fallback / 2 ** 20}m\``;
  return `\`${fallback}\``;
}
