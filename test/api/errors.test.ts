/** @file Every error answer is a problem document, the framework's own included. */

import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openSite, type Site } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

const JSON_TYPE = 'application/json';
const cases: [
  what: string,
  call: () => ReturnType<Site['http']['get']>,
  status: number,
  code: string,
][] = [
  ['an unknown route', () => site.http.get('/nope'), 404, 'NOT_FOUND'],
  ['a method that is not there', () => site.http.put('/v1/jobs'), 405, 'METHOD_NOT_ALLOWED'],
  ['another one', () => site.http.patch('/v1/jobs/x'), 405, 'METHOD_NOT_ALLOWED'],
  ['an unknown job', () => site.http.get(`/v1/jobs/job_${'0'.repeat(32)}`), 404, 'JOB_NOT_FOUND'],
  [
    'a day that there is not',
    () => site.http.get('/v1/jobs?createdAfter=2026-13-01'),
    400,
    'REQUEST_INVALID',
  ],
  [
    'an hour that there is not',
    () => site.http.get('/v1/jobs?createdBefore=2026-12-01T25:00:00Z'),
    400,
    'REQUEST_INVALID',
  ],
  ['a cursor before all', () => site.http.get('/v1/audit?cursor=0-0'), 400, 'REQUEST_INVALID'],
  [
    'a cursor that is too long',
    () => site.http.get(`/v1/audit?cursor=${'9'.repeat(20)}-0`),
    400,
    'REQUEST_INVALID',
  ],
  ['what is no job id', () => site.http.get('/v1/jobs/17'), 404, 'JOB_NOT_FOUND'],
  ['an unknown model', () => site.http.get('/v1/models/x'), 404, 'MODEL_NOT_FOUND'],
  ['an unknown data set', () => site.http.delete('/v1/datasets/x'), 404, 'DATASET_NOT_FOUND'],
  [
    'malformed JSON',
    () => site.http.post('/v1/jobs').type(JSON_TYPE).send('{"stages": ['),
    400,
    'JSON_MALFORMED',
  ],
  [
    'an empty body',
    () => site.http.post('/v1/jobs').type(JSON_TYPE).send(''),
    400,
    'JSON_MALFORMED',
  ],
  [
    'a prototype in JSON',
    () => site.http.post('/v1/jobs').type(JSON_TYPE).send('{"__proto__": {}}'),
    400,
    'JSON_MALFORMED',
  ],
  [
    'a JSON body that is too large',
    () => site.http.post('/v1/jobs').send({ x: 'x'.repeat(1_200_000) }),
    413,
    'PAYLOAD_TOO_LARGE',
  ],
  [
    'a body of another type',
    () => site.http.post('/v1/jobs').type('text/plain').send('x'),
    415,
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  [
    'bytes where JSON is meant',
    () => site.http.post('/v1/jobs').type('application/octet-stream').send('x'),
    415,
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  [
    'JSON where a model is meant',
    () => site.http.post('/v1/models').send({}),
    415,
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  ['a spec that is a list', () => site.http.post('/v1/jobs').send([]), 422, 'SPEC_INVALID'],
  ['a limit that is too high', () => site.http.get('/v1/jobs?limit=201'), 400, 'REQUEST_INVALID'],
  [
    'a limit that is no number',
    () => site.http.get('/v1/models?limit=ten'),
    400,
    'REQUEST_INVALID',
  ],
  ['a misspelt parameter', () => site.http.get('/v1/jobs?limt=5'), 400, 'REQUEST_INVALID'],
  ['an unknown status', () => site.http.get('/v1/jobs?status=done'), 400, 'REQUEST_INVALID'],
  ['a cursor of somebody else', () => site.http.get('/v1/jobs?cursor=abc'), 400, 'REQUEST_INVALID'],
  ['a negative wait', () => site.http.get('/v1/jobs/x?wait=-1'), 400, 'REQUEST_INVALID'],
  [
    'a path that does not decode',
    () => site.http.get('/v1/models/%E0%A4%A'),
    400,
    'HTTP_MALFORMED',
  ],
];

test.each(cases)('%s', async (_, call, status, code) => {
  const answer = await call();

  expect([answer.status, answer.body.code], answer.text).toEqual([status, code]);
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(answer.body).toMatchObject({
    type: `/docs/errors#${code}`,
    title: expect.any(String),
    status,
    detail: expect.any(String),
    instance: expect.any(String),
    retryable: expect.any(Boolean),
    errors: expect.any(Array),
  });
  if (status === 405) expect(answer.headers['allow']).toContain('GET');
});

test('the errors page has an anchor for the type', async () => {
  const page = await site.http.get('/docs/errors');

  expect(page.status).toBe(200);
  for (const code of ['NOT_FOUND', 'SPEC_INVALID', 'MODEL_UNREADABLE'])
    expect(page.text).toContain(`<h2 id="${code}">`);
});

test('what is not HTTP gets one too', async () => {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(site.port, '127.0.0.1', () => socket.write('GET / HTTP/9\r\n\r\n'));
    let all = '';
    socket.on('data', (chunk) => {
      all += chunk;
    });
    socket.on('end', () => resolve(all)).on('error', reject);
  });

  expect(text).toContain('application/problem+json');
  expect(text).toContain('HTTP_MALFORMED');
});

test('the documentation loads nothing from elsewhere and runs nothing inline', async () => {
  const page = await site.http.get('/docs');
  const script = await site.http.get('/docs/reference/js/scalar.js');
  const document = await site.http.get('/openapi.json');

  expect(page.text).not.toMatch(/(src|href)="(https?:)?\/\//);
  expect(page.text).not.toMatch(/<script>/);
  expect(page.headers['content-security-policy']).toContain("script-src 'self'");
  expect([script.status, document.status, document.body.openapi]).toEqual([200, 200, '3.1.0']);
});

test('metrics are text for Prometheus, without ids', async () => {
  await site.http.get(`/v1/jobs/job_${'0'.repeat(32)}`);

  const { text, headers } = await site.http.get('/metrics');

  expect(headers['content-type']).toContain('text/plain');
  expect(text).toMatch(
    /lathe_http_request_duration_seconds_count\{method="GET",route="\/v1\/jobs\/:id",status="404"\}/,
  );
  expect(text).toContain('lathe_queue_jobs 0');
  expect(text).not.toContain('job_000');
});
