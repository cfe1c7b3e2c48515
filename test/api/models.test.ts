/** @file Models over HTTP: what is uploaded is kept whole or not at all. */

import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { BYTES, modelFile, openSite, type Site } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ LATHE_MAX_MODEL_BYTES: '1m' });
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
const idOf = (bytes: Buffer) => `sha256:${sha256(bytes).toString('hex')}`;
const post = (bytes: Buffer) => site.http.post('/v1/models').type(BYTES).send(bytes);

test('the raw body becomes a model; the same bytes again are the same model', async () => {
  const bytes = modelFile(1);

  const first = await post(bytes).query({ name: 'colours.onnx' });
  const second = await post(bytes).query({ name: 'other.onnx' });

  expect(first.status, first.text).toBe(201);
  expect(first.body).toMatchObject({
    id: idOf(bytes),
    name: 'colours.onnx',
    bytes: bytes.length,
    task: 'classify',
    inputs: [{ name: 'images', dtype: 'float32', shape: [1, 3, 32, 32] }],
    ops: { Conv: 2 },
  });
  expect(first.body.params).toBeGreaterThan(0);
  expect(first.body.macs).toBeGreaterThan(0);
  expect(first.headers['location']).toBe(`/v1/models/${idOf(bytes)}`);
  expect([second.status, second.body.id, second.body.name]).toEqual([
    200,
    idOf(bytes),
    'colours.onnx',
  ]);
});

test('the part `file` of a multipart body becomes a model, with its file name', async () => {
  const bytes = modelFile(2);

  const answer = await site.http.post('/v1/models').attach('file', bytes, 'part.onnx');

  expect(answer.status, answer.text).toBe(201);
  expect(answer.body).toMatchObject({ id: idOf(bytes), name: 'part.onnx' });
});

const good = () => `sha-256=:${sha256(modelFile(3)).toString('base64')}:`;
test.each([
  ['the right Repr-Digest is accepted', good, 201, undefined],
  ['others than SHA-256 are passed over', () => 'sha-512=:AAAA:', 200, undefined],
  [
    'a wrong one is refused',
    () => `sha-256=:${sha256(modelFile(9)).toString('base64')}:`,
    400,
    'DIGEST_MISMATCH',
  ],
  ['one that is none is refused', () => 'sha-256=:abc:', 400, 'REQUEST_INVALID'],
])('Repr-Digest: %s', async (_, header, status, code) => {
  const answer = await post(modelFile(3)).set('repr-digest', header());

  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect(site.incoming()).toEqual([]);
});

test.each([
  ['random bytes', Buffer.alloc(5000, 'random'), 422, 'MODEL_UNREADABLE'],
  ['a truncated model', modelFile(4).subarray(0, 700), 422, 'MODEL_UNREADABLE'],
  ['nothing', Buffer.alloc(0), 400, 'UPLOAD_INCOMPLETE'],
  ['more than the limit', Buffer.alloc(1_100_000), 413, 'PAYLOAD_TOO_LARGE'],
])('%s is refused and leaves nothing', async (_, bytes, status, code) => {
  const before = site.stored();

  const answer = await post(bytes);

  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect(answer.body).toMatchObject({ type: `/docs/errors#${code}`, instance: '/v1/models' });
  expect([site.incoming(), site.stored()]).toEqual([[], before]);
});

test.each([
  ['another part', { field: 'model' }, 'MULTIPART_INVALID'],
  ['no part', {}, 'MULTIPART_INVALID'],
])('multipart with %s is refused', async (_, { field }: { field?: string }, code) => {
  const call = site.http.post('/v1/models');
  const answer = await (field
    ? call.attach(field, modelFile(5), 'm.onnx')
    : call.type('multipart/form-data; boundary=x').send('--x--\r\n'));

  expect([answer.status, answer.body.code]).toEqual([400, code]);
  expect(site.incoming()).toEqual([]);
});

/** Send the start of a body; `end` is how it ends. */
function raw(headers: Record<string, string | number>, body: Buffer | string, how: 'end' | 'cut') {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const { port } = site;
    const call = request({ port, host: '127.0.0.1', path: '/v1/models', method: 'POST', headers });
    call.on('error', reject);
    call.on('response', (answer) => {
      let text = '';
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode!, body: text }));
    });
    call.write(body);
    if (how === 'end') call.end();
    else setTimeout(() => call.destroy(new Error('cut')), 100);
  });
}

test('a multipart body that ends too early is refused', async () => {
  const type = 'multipart/form-data; boundary=x';
  const part = '--x\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n\r\nabc';

  const answer = await raw({ 'content-type': type }, part, 'end');

  expect(answer.status, answer.body).toBe(400);
  expect(JSON.parse(answer.body).code).toBe('UPLOAD_INCOMPLETE');
  expect(site.incoming()).toEqual([]);
});

test.each([
  ['raw', { 'content-type': BYTES, 'content-length': 500_000 }, modelFile(6)],
  [
    'multipart',
    { 'content-type': 'multipart/form-data; boundary=x', 'content-length': 500_000 },
    '--x\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n\r\nabc',
  ],
])('a %s upload that breaks off leaves nothing', async (_, headers, body) => {
  const before = site.stored();

  await expect(raw(headers, body, 'cut')).rejects.toThrow('cut');

  await sleep(300);
  expect([site.incoming(), site.stored()]).toEqual([[], before]);
});

test('a chunked body is counted, for it has no Content-Length', async () => {
  const answer = await raw({ 'content-type': BYTES }, Buffer.alloc(1_200_000), 'end');

  expect([answer.status, JSON.parse(answer.body).code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  expect(site.incoming()).toEqual([]);
});

test('models are described, told apart from strangers, listed in pages, and deleted', async () => {
  const bytes = modelFile(10);
  await post(bytes);
  const path = `/v1/models/${idOf(bytes)}`;

  const described = await site.http.get(path);
  const head = await site.http.head(path);
  const absent = await site.http.head(`/v1/models/sha256:${'0'.repeat(64)}`);
  const all: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await site.http.get('/v1/models').query({ limit: 2, ...(cursor && { cursor }) });
    expect(page.body.items.length).toBeLessThanOrEqual(2);
    all.push(...page.body.items.map((m: { id: string }) => m.id));
    cursor = page.body.nextCursor;
  }
  const deleted = await site.http.delete(path);
  const gone = await site.http.get(path);

  expect(described.body.id).toBe(idOf(bytes));
  expect([head.status, absent.status]).toEqual([200, 404]);
  expect(all[0]).toBe(idOf(bytes));
  expect(new Set(all).size).toBe(all.length);
  expect([deleted.status, gone.status, gone.body.code]).toEqual([204, 404, 'MODEL_NOT_FOUND']);
});

test('downloads: digest, entity tag, ranges', async () => {
  const bytes = modelFile(11);
  await post(bytes);
  const path = `/v1/models/${idOf(bytes)}/file`;
  const get = (headers: Record<string, string> = {}) =>
    site.http
      .get(path)
      .set(headers)
      .buffer(true)
      .parse((res, done) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('end', () => done(null, Buffer.concat(chunks)));
      });

  const whole = await get();
  const etag = whole.headers['etag'] as string;

  expect(whole.body.equals(bytes)).toBe(true);
  expect(whole.headers['repr-digest']).toBe(`sha-256=:${sha256(bytes).toString('base64')}:`);
  expect((await get({ 'if-none-match': etag })).status).toBe(304);
  const cases = [
    [{ range: 'bytes=10-19' }, 206, bytes.subarray(10, 20)],
    [{ range: 'bytes=-5' }, 206, bytes.subarray(-5)],
    [{ range: `bytes=${bytes.length - 3}-` }, 206, bytes.subarray(-3)],
    [{ range: 'bytes=0-99999999' }, 206, bytes],
    [{ range: 'bytes=0-1,5-6' }, 200, bytes],
    [{ range: 'lines=1-2' }, 200, bytes],
    [{ range: 'bytes=10-19', 'if-range': etag }, 206, bytes.subarray(10, 20)],
    [{ range: 'bytes=10-19', 'if-range': '"other"' }, 200, bytes],
  ] as const;
  for (const [headers, status, expected] of cases) {
    const answer = await get(headers);
    expect([headers, answer.status]).toEqual([headers, status]);
    expect(answer.body.equals(expected)).toBe(true);
  }
  const beyond = await get({ range: 'bytes=99999999-' });
  expect([beyond.status, beyond.headers['content-range']]).toEqual([
    416,
    `bytes */${bytes.length}`,
  ]);
  const head = await site.http.head(path);
  expect([head.status, head.headers['content-length']]).toEqual([200, String(bytes.length)]);
});

test('a model that a job needs is not deleted', async () => {
  const bytes = modelFile(12);
  await post(bytes);
  const job = await site.http
    .post('/v1/jobs')
    .send({ model: idOf(bytes), stages: [{ stage: 'simplify' }] });

  const refused = await site.http.delete(`/v1/models/${idOf(bytes)}`);
  await site.http.post(`/v1/jobs/${job.body.id}/cancel`);
  const deleted = await site.http.delete(`/v1/models/${idOf(bytes)}`);

  expect(job.status, job.text).toBe(202);
  expect([refused.status, refused.body.code, deleted.status]).toEqual([409, 'MODEL_IN_USE', 204]);
  expect(refused.body.detail).toContain(job.body.id);
});
