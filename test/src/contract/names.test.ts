/** @file Ids and digests. */

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';

import { isDigest, parseReprDigest, reprDigest } from '../../../src/contract/digest.ts';
import { newJobId } from '../../../src/contract/ids.ts';

test('job ids are UUIDv7 without dashes, and rise even within a millisecond', () => {
  const now = Date.now();

  const ids = Array.from({ length: 10_000 }, () => newJobId(now));

  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^job_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  expect(Math.abs(Number.parseInt(ids[0]!.slice(4, 16), 16) - now)).toBeLessThan(10);
});

const hex = createHash('sha256').update('x').digest('hex');
const base64 = Buffer.from(hex, 'hex').toString('base64');

test.each([
  [`sha-256=:${base64}:`, `sha256:${hex}`],
  [`sha-512=:AAAA:, SHA-256=:${base64}:`, `sha256:${hex}`],
  ['sha-512=:AAAA:', undefined],
  ['', undefined],
  [`sha-256=${base64}`, null],
  ['sha-256=:AAAA:', null],
])('Repr-Digest %s', (header, expected) => {
  expect(parseReprDigest(header)).toBe(expected);
});

test('what is sent is what is read', () => {
  expect(parseReprDigest(reprDigest(`sha256:${hex}`))).toBe(`sha256:${hex}`);
});

test.each([
  [`sha256:${hex}`, true],
  [`sha256:${hex.toUpperCase()}`, false],
  [`sha256:${hex}/../x`, false],
  [hex, false],
  [undefined, false],
])('is %s a digest?', (text, expected) => {
  expect(isDigest(text)).toBe(expected);
});
