/** @file What is published is what the code says. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { publish } from '../../scripts/openapi.ts';

const ROOT = join(import.meta.dirname, '../..');

test('openapi/ is fresh (else: npm run openapi)', async () => {
  expect(await publish(false)).toEqual([]);
});

test("the client's types are made from this document (else: npm run sdk)", () => {
  const document = readFileSync(join(ROOT, 'openapi/openapi.json'));
  const sha256 = createHash('sha256').update(document).digest('hex');

  expect(readFileSync(join(ROOT, 'sdk/schema.ts'), 'utf8')).toContain(
    `openapi.json sha256 ${sha256}`,
  );
});

test('each operation has an id, a summary and problem documents', () => {
  const { paths } = JSON.parse(readFileSync(join(ROOT, 'openapi/openapi.json'), 'utf8'));
  const operations = Object.values(paths).flatMap((path) => Object.values(path as object));
  const ids = operations.map(({ operationId }) => operationId);

  expect(new Set(ids).size).toBe(operations.length);
  for (const { operationId, summary, responses } of operations) {
    expect([operationId, typeof summary]).toEqual([operationId, 'string']);
    for (const status of Object.keys(responses).filter((s) => Number(s) >= 400))
      expect(responses[status].content).toHaveProperty('application/problem+json');
  }
});
