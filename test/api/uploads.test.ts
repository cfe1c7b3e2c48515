/** @file Resumable uploads, with the client that people use (tus-js-client), over a disk and over a bucket. */

import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { startFauxqs } from 'fauxqs';
import { Upload } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { datasetFile, modelFile, openSite, type Site } from './site.ts';

const KEYS = { ada: 'key-of-ada-1', bob: 'key-of-bob-1' };
const as = (tenant: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[tenant]}` });
const TUS = { 'tus-resumable': '1.0.0' };
const PART = { ...TUS, 'content-type': 'application/offset+octet-stream' };

const hex = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const base64 = (text: string) => Buffer.from(text).toString('base64');
const metadata = (entries: Record<string, string>) =>
  Object.entries(entries)
    .map(([name, value]) => `${name} ${base64(value)}`)
    .join(',');

const settings = { LATHE_API_KEYS: `ada:${KEYS.ada},bob:${KEYS.bob}`, LATHE_MAX_MODEL_BYTES: '1m' };
const KINDS = ['disk', 's3'] as const;

describe.each(KINDS)('resumable uploads, %s', (kind) => {
  let site: Site;
  let stopS3 = async (): Promise<void> => {};
  beforeAll(async () => {
    const bucket = kind === 's3' ? await openBucket() : undefined;
    stopS3 = bucket?.stop ?? stopS3;
    site = await openSite({ ...settings, ...bucket?.env });
  });
  afterAll(async () => {
    await site.close();
    await stopS3();
    expect(site.contract.broken).toEqual([]);
  });

  const begin = async (length: number, entries: Record<string, string>) => {
    const answer = await site.http.post('/v1/uploads').set({
      ...TUS,
      ...as('ada'),
      'upload-length': `${length}`,
      'upload-metadata': metadata(entries),
    });
    expect(answer.status, answer.text).toBe(201);
    return answer.headers['location'] as string;
  };
  const send = (path: string, offset: number, bytes: Buffer, more: Record<string, string> = {}) =>
    site.http
      .patch(path)
      .set({ ...PART, ...as('ada'), 'upload-offset': `${offset}`, ...more })
      .send(bytes);
  const offsetOf = async (path: string) =>
    Number((await site.http.head(path).set({ ...TUS, ...as('ada') })).headers['upload-offset']);
  const shown = async (path: string) => (await site.http.get(path).set(as('ada'))).body;

  test('the usual client uploads a model in chunks; it is the model of a direct upload', async () => {
    const bytes = modelFile(1);
    const results: (string | undefined)[] = [];

    await new Promise<void>((resolve, reject) => {
      new Upload(bytes, {
        endpoint: `${site.url}/v1/uploads`,
        headers: as('ada'),
        metadata: { kind: 'model', filename: 'colours.onnx', sha256: hex(bytes) },
        chunkSize: Math.ceil(bytes.length / 3),
        retryDelays: null,
        onAfterResponse: (_request, answer) => void results.push(answer.getHeader('lathe-result')),
        onSuccess: () => resolve(),
        onError: reject,
      }).start();
    });

    expect(results.length).toBeGreaterThan(3);
    expect(results.at(-1)).toBe(`/v1/models/sha256:${hex(bytes)}`);
    const model = await site.http.get(results.at(-1)!).set(as('ada'));
    expect(model.body).toMatchObject({ name: 'colours.onnx', task: 'classify', ops: { Conv: 2 } });
    const direct = await site.http
      .post('/v1/models')
      .set(as('ada'))
      .type('application/octet-stream')
      .send(bytes);
    expect([direct.status, direct.body.id]).toEqual([200, model.body.id]);
  });

  test('a data set arrives in two requests, and the record tells what it has become', async () => {
    const bytes = await datasetFile();
    const path = await begin(bytes.length, { kind: 'dataset', filename: 'colours.tar' });

    const first = await send(path, 0, bytes.subarray(0, 1000));
    const between = await shown(path);
    const second = await send(path, 1000, bytes.subarray(1000));

    expect([first.status, first.headers['upload-offset']]).toEqual([204, '1000']);
    expect(between).toMatchObject({ status: 'receiving', offset: 1000, length: bytes.length });
    expect(second.status, second.text).toBe(204);
    const after = await shown(path);
    expect(after).toMatchObject({ status: 'succeeded', kind: 'dataset', error: null });
    expect(second.headers['lathe-result']).toBe(after.result.href);
    expect(
      (await site.http.get(after.result.href).set(as('ada'))).body.images.train,
    ).toBeGreaterThan(0);
  });

  test('a connection that breaks off keeps what had arrived, and the rest follows', async () => {
    const bytes = modelFile(2);
    const path = await begin(bytes.length, { kind: 'model' });

    await cutOff(site.port, path, bytes.subarray(0, 700), bytes.length);
    const offset = await offsetOf(path);
    const rest = await send(path, offset, bytes.subarray(offset));

    expect(offset).toBe(700);
    expect(rest.headers['lathe-result']).toBe(`/v1/models/sha256:${hex(bytes)}`);
  });

  test('a second request takes over from one that hangs; nothing is lost and nothing is twice', async () => {
    const bytes = modelFile(3);
    const path = await begin(bytes.length, { kind: 'model' });
    const hanging = hang(site.port, path, bytes.subarray(0, 500), bytes.length);
    await sleep(300);

    const offset = await offsetOf(path);
    const rest = await send(path, offset, bytes.subarray(offset));
    hanging.destroy();

    expect(offset).toBe(500);
    expect(rest.status, rest.text).toBe(204);
    expect(rest.headers['lathe-result']).toBe(`/v1/models/sha256:${hex(bytes)}`);
  });

  test('the length may be told later', async () => {
    const bytes = modelFile(4);
    const begun = await site.http.post('/v1/uploads').set({
      ...{ ...TUS, ...as('ada'), 'upload-defer-length': '1' },
      'upload-metadata': metadata({ kind: 'model' }),
    });
    const path = begun.headers['location'] as string;

    await send(path, 0, bytes.subarray(0, 100));
    const open = await shown(path);
    const rest = await send(path, 100, bytes.subarray(100), { 'upload-length': `${bytes.length}` });

    expect(open).toMatchObject({ offset: 100, length: null });
    expect(rest.headers['lathe-result']).toBe(`/v1/models/sha256:${hex(bytes)}`);
  });

  test('a part with a checksum is kept only where it fits', async () => {
    const bytes = modelFile(5);
    const path = await begin(bytes.length, { kind: 'model' });
    const sum = (part: Buffer, name = 'sha256') =>
      `${name} ${createHash(name).update(part).digest('base64')}`;
    const head = bytes.subarray(0, 300);

    const spoilt = await send(path, 0, head, { 'upload-checksum': sum(randomBytes(9)) });
    const after = await offsetOf(path);
    const good = await send(path, 0, head, { 'upload-checksum': sum(head, 'sha1') });
    const unknown = await send(path, 300, bytes.subarray(300), { 'upload-checksum': 'crc32 AAAA' });
    const tail = bytes.subarray(300);
    const rest = await send(path, 300, tail, { 'upload-checksum': sum(tail) });

    expect([spoilt.status, spoilt.body.code, after]).toEqual([460, 'UPLOAD_CHECKSUM_MISMATCH', 0]);
    expect(good.headers['upload-offset']).toBe('300');
    expect([unknown.status, unknown.body.code]).toEqual([400, 'UPLOAD_INVALID']);
    expect(rest.headers['lathe-result']).toBe(`/v1/models/sha256:${hex(bytes)}`);
  });

  test('a file that is not what was announced, or no model, fails as a direct upload does and leaves nothing', async () => {
    const bytes = modelFile(6);
    const wrong = await begin(bytes.length, { kind: 'model', sha256: hex(modelFile(7)) });
    const noModel = await begin(5000, { kind: 'model' });

    const mismatch = await send(wrong, 0, bytes);
    const unreadable = await send(noModel, 0, Buffer.alloc(5000, 'random'));

    expect([mismatch.status, mismatch.body.code]).toEqual([400, 'DIGEST_MISMATCH']);
    expect([unreadable.status, unreadable.body.code]).toEqual([422, 'MODEL_UNREADABLE']);
    expect(await shown(wrong)).toMatchObject({
      ...{ status: 'failed', result: null },
      error: { code: 'DIGEST_MISMATCH' },
    });
    expect(site.incoming()).toEqual([]);
  });

  test('bytes go to the storage directly where it can take them, else by tus to the same upload', async () => {
    const bytes = modelFile(8);
    const body = {
      kind: 'model',
      bytes: bytes.length,
      name: 'd.onnx',
      sha256: `sha256:${hex(bytes)}`,
    };

    const begun = await site.http.post('/v1/uploads/direct').set(as('ada')).send(body);
    expect(begun.status, begun.text).toBe(201);
    const early =
      begun.body.complete && (await site.http.post(begun.body.complete).set(as('ada')).send());
    for (const part of begun.body.parts) {
      const piece = bytes.subarray(part.offset, part.offset + part.bytes);
      expect((await fetch(part.url, { method: 'PUT', body: piece })).status).toBe(200);
    }
    const done =
      begun.body.method === 'tus'
        ? await send(begun.body.href, 0, bytes)
        : await site.http.post(begun.body.complete).set(as('ada')).send();

    expect(begun.body.method).toBe({ disk: 'tus', s3: 'put' }[kind]);
    if (early) expect([early.status, early.body.code]).toEqual([409, 'UPLOAD_NOT_COMPLETE']);
    expect(done.status, done.text).toBe({ disk: 204, s3: 200 }[kind]);
    expect(await shown(begun.body.href)).toMatchObject({
      ...{ status: 'succeeded', result: { id: `sha256:${hex(bytes)}` } },
    });
  });

  test('uploads expire: what nobody continues is forgotten, with its bytes', async () => {
    const path = await begin(5000, { kind: 'model' });
    await send(path, 0, randomBytes(100));
    const { resumable } = site.services.collaborators;

    await resumable.sweep(Date.now() + 49 * 3_600_000);

    const gone = await site.http.head(path).set({ ...TUS, ...as('ada') });
    expect(gone.status).toBe(404);
    expect((await site.http.get('/v1/uploads').set(as('ada'))).body.items).toEqual([]);
  });

  test('the uploads of a tenant are nobody else’s', async () => {
    const path = await begin(5000, { kind: 'model' });
    const bob = { ...TUS, ...as('bob') };

    const answers = [
      await site.http.head(path).set(bob),
      await site.http.get(path).set(bob),
      await site.http.delete(path).set(bob),
      await site.http.post(`${path}/complete`).set(bob).send(),
      await site.http
        .patch(path)
        .set({ ...PART, ...bob, 'upload-offset': '0' })
        .send(randomBytes(10)),
    ];

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    expect((await site.http.get('/v1/uploads').set(bob)).body.items).toEqual([]);
    expect((await site.http.delete(path).set({ ...TUS, ...as('ada') })).status).toBe(204);
  });

  const faults: [string, Record<string, string>, number, string][] = [
    ['no kind', { 'upload-length': '10' }, 400, 'UPLOAD_INVALID'],
    [
      'an unknown kind',
      { 'upload-length': '10', 'upload-metadata': metadata({ kind: 'x' }) },
      400,
      'UPLOAD_INVALID',
    ],
    ['no length', { 'upload-metadata': metadata({ kind: 'model' }) }, 400, 'UPLOAD_INVALID'],
    [
      'nothing in it',
      { 'upload-length': '0', 'upload-metadata': metadata({ kind: 'model' }) },
      400,
      'UPLOAD_INVALID',
    ],
    [
      'another version of tus',
      { 'tus-resumable': '0.2.2', 'upload-length': '10' },
      412,
      'TUS_VERSION_UNSUPPORTED',
    ],
    [
      'more than the limit',
      { 'upload-length': '1100000', 'upload-metadata': metadata({ kind: 'model' }) },
      413,
      'PAYLOAD_TOO_LARGE',
    ],
    [
      'a digest that is none',
      { 'upload-length': '10', 'upload-metadata': metadata({ kind: 'model', sha256: 'abc' }) },
      400,
      'UPLOAD_INVALID',
    ],
    [
      'parts in parallel',
      {
        'upload-length': '10',
        'upload-concat': 'partial',
        'upload-metadata': metadata({ kind: 'model' }),
      },
      400,
      'UPLOAD_INVALID',
    ],
  ];
  test.each(faults)('an upload with %s is refused', async (_, headers, status, code) => {
    const answer = await site.http.post('/v1/uploads').set({ ...TUS, ...as('ada'), ...headers });

    expect([answer.status, answer.body.code], answer.text).toEqual([status, code]);
  });

  test('bytes from the wrong place are refused, and the answer says where to go on', async () => {
    const path = await begin(5000, { kind: 'model' });
    await send(path, 0, randomBytes(100));

    const wrong = await send(path, 50, randomBytes(10));
    const tooMany = await send(path, 100, randomBytes(5000));

    expect([wrong.status, wrong.body.code]).toEqual([409, 'UPLOAD_OFFSET_CONFLICT']);
    expect(wrong.body.detail).toContain('100 bytes');
    expect([tooMany.status, tooMany.body.code]).toEqual([400, 'UPLOAD_INVALID']);
    expect(await offsetOf(path)).toBe(100);
    await site.http.delete(path).set({ ...TUS, ...as('ada') });
  });

  test('a key that may only read looks on and sends nothing', async () => {
    const path = await begin(5000, { kind: 'model' });
    const made = await site.http
      .post('/v1/keys')
      .set(as('ada'))
      .send({ name: 'reader', scopes: ['read'] });
    const reader = { ...TUS, authorization: `Bearer ${made.body.key}` };

    expect((await site.http.head(path).set(reader)).status).toBe(200);
    const sent = await site.http
      .patch(path)
      .set({ ...PART, ...reader, 'upload-offset': '0' })
      .send(randomBytes(10));
    expect([sent.status, sent.body.code]).toEqual([403, 'SCOPE_MISSING']);
    await site.http.delete(path).set({ ...TUS, ...as('ada') });
  });

  test('the server says what it knows of tus, and lets no other site in', async () => {
    const answer = await site.http.options('/v1/uploads').set(as('ada'));

    expect(answer.headers).toMatchObject({
      'tus-version': '1.0.0',
      'tus-checksum-algorithm': 'sha256,sha1,md5',
      'tus-extension': expect.stringContaining('expiration'),
    });
    expect(Object.keys(answer.headers).filter((n) => n.startsWith('access-control'))).toEqual([]);
  });
});

async function openBucket() {
  const server = await startFauxqs({ port: 0, logger: false, init: { buckets: ['lathe'] } });
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
  const env = {
    LATHE_STORAGE: 's3',
    LATHE_S3_BUCKET: 'lathe',
    LATHE_S3_ENDPOINT: `http://127.0.0.1:${server.port}`,
  };
  return { env, stop: () => server.stop() };
}

/** A request that has sent some of its bytes and says nothing more. */
function hang(port: number, path: string, bytes: Buffer, length: number) {
  const headers = { ...PART, ...as('ada'), 'upload-offset': '0', 'content-length': length };
  const call = request({ port, host: '127.0.0.1', path, method: 'PATCH', headers });
  call.on('error', () => {});
  call.write(bytes);
  return call;
}

async function cutOff(port: number, path: string, bytes: Buffer, length: number): Promise<void> {
  const call = hang(port, path, bytes, length);
  await sleep(300);
  call.destroy();
  await sleep(200);
}
