/** @file No secret reaches the log, wherever it stands. */

import { expect, test } from 'vitest';

import { openLog } from '../../../src/logging/log.ts';

const TOKEN = `lathe_${'a1'.repeat(16)}_${'x'.repeat(43)}`;

test.each([
  ['a key in a header', { req: { headers: { authorization: `Bearer ${TOKEN}` } } }, TOKEN],
  [
    'a key of LATHE_API_KEYS in a header',
    { headers: { 'x-api-key': 'key-of-ada-1' } },
    'key-of-ada-1',
  ],
  ['a key in a message', { msg: `unknown key ${TOKEN}` }, TOKEN.slice(12)],
  ['a signing secret', { webhook: { secret: 'anything at all' } }, 'anything at all'],
  [
    'a signing secret in text',
    { err: new Error('whsec_QUFBQUFBQUFBQUFB is no secret') },
    'QUFBQUFB',
  ],
  ['the password of an address', { error: 'connect redis://:hunter2@10.0.0.1:6379' }, 'hunter2'],
  ['user and password of an address', { url: 'https://ada:hunter2@example.com/x' }, 'hunter2'],
  ['a presigned address', { url: 'https://b/k?X-Amz-Signature=0a1b2c&x=1' }, '0a1b2c'],
  ['a bearer token in text', { error: 'sent Authorization: Bearer abcdef123456' }, 'abcdef123456'],
])('%s', (_, facts, secret) => {
  const lines: string[] = [];
  const log = openLog('api', 'info', { write: (line) => void lines.push(line) });

  log.warn(facts, 'something happened');

  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain(secret);
  expect(JSON.parse(lines[0]!)).toMatchObject({ role: 'api', level: 40 });
});

test('what is no secret stays', () => {
  const lines: string[] = [];
  const log = openLog('worker', 'info', { write: (line) => void lines.push(line) });

  log.info({ job: 'job_0123', url: 'http://127.0.0.1:8080/v1/jobs?limit=5' }, 'attempt started');

  expect(JSON.parse(lines[0]!)).toMatchObject({
    job: 'job_0123',
    url: 'http://127.0.0.1:8080/v1/jobs?limit=5',
    msg: 'attempt started',
  });
});
