/** @file Imports: what the server fetches itself, from where it may, and what it makes of what it gets. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startFauxqs } from 'fauxqs';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { Bucket } from '../../src/storage/bucket.ts';
import { digestOf } from '../helpers/digest.ts';
import { BYTES, datasetFile, modelFile, openSite, type Site } from './site.ts';

const KEYS = { ada: 'key-of-ada-1', bob: 'key-of-bob-1' };
const as = (tenant: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[tenant]}` });
const folder = mkdtempSync(join(tmpdir(), 'lathe-imports-'));

let site: Site;
let home: Server;
let s3: Awaited<ReturnType<typeof startFauxqs>>;
let at: (path: string) => string;
/** Requests that the source got. */
let asked: string[] = [];

const files: Record<string, (answer: ServerResponse) => void> = {
  '/model.onnx': (answer) => answer.end(modelFile(1)),
  '/other.onnx': (answer) => answer.end(modelFile(2)),
  '/noise.onnx': (answer) => answer.end(Buffer.alloc(4000, 'noise')),
  '/moved.onnx': (answer) => answer.writeHead(302, { location: '/model.onnx' }).end(),
  '/broken.onnx': (answer) => answer.writeHead(503).end(),
  '/large.onnx': (answer) => answer.end(randomBytes(1_200_000)),
  '/endless.onnx': (answer) => {
    const clock = setInterval(() => answer.write(randomBytes(100)), 50);
    answer.on('close', () => clearInterval(clock));
  },
  '/cut.onnx': (answer) => {
    answer.writeHead(200, { 'content-length': 5000 }).write(randomBytes(100));
    setTimeout(() => answer.destroy(), 50);
  },
};

beforeAll(async () => {
  s3 = await startFauxqs({ port: 0, logger: false, init: { buckets: ['models', 'lathe'] } });
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
  const data = await datasetFile();
  files['/data.tar'] = (answer) => answer.end(data);
  home = createServer(({ url = '' }, answer) => {
    asked.push(url);
    const file = files[url.split('?')[0]!];
    if (file) file(answer);
    else answer.writeHead(404).end();
  });
  await new Promise<void>((resolve) => home.listen(0, '127.0.0.1', resolve));
  const { port } = home.address() as AddressInfo;
  at = (path) => `http://127.0.0.1:${port}${path}`;
  site = await openSite({
    LATHE_API_KEYS: `ada:${KEYS.ada},bob:${KEYS.bob}`,
    LATHE_MAX_MODEL_BYTES: '1m',
    LATHE_IMPORT_BUCKETS: 'models/team',
    LATHE_STORAGE: 's3',
    LATHE_S3_BUCKET: 'lathe',
    LATHE_S3_ENDPOINT: `http://127.0.0.1:${s3.port}`,
  });
});
afterAll(async () => {
  await site.close();
  home.closeAllConnections();
  home.close();
  await s3.stop();
  rmSync(folder, { recursive: true });
  expect(site.contract.broken).toEqual([]);
});

const begin = (body: object, tenant: keyof typeof KEYS = 'ada') =>
  site.http.post('/v1/imports').set(as(tenant)).send(body);
/** The import when it has ended. */
async function imported(body: object) {
  const begun = await begin(body);
  expect(begun.status, begun.text).toBe(202);
  const ended = await site.http.get(begun.headers['location']!).set(as('ada')).query({ wait: 40 });
  return ended.body;
}

test('a model and a data set are imported from addresses, and are what an upload makes of them', async () => {
  const model = await imported({ kind: 'model', url: at('/model.onnx?signature=hush') });
  const dataset = await imported({ kind: 'dataset', url: at('/data.tar') });

  expect(model).toMatchObject({
    ...{ status: 'succeeded', name: 'model.onnx', error: null, progress: 1 },
    ...{ url: at('/model.onnx'), sha256: digestOf(modelFile(1)), bytes: modelFile(1).length },
    result: { id: digestOf(modelFile(1)), href: `/v1/models/${digestOf(modelFile(1))}` },
  });
  const uploaded = await site.http.post('/v1/models').set(as('ada')).type(BYTES).send(modelFile(1));
  expect([uploaded.status, uploaded.body.name]).toEqual([200, 'model.onnx']);
  const kept = await site.http.get(dataset.result.href).set(as('ada'));
  expect(kept.body.images.train).toBeGreaterThan(0);
});

test('a digest is held against the file, and one that is known is not fetched', async () => {
  const digest = digestOf(modelFile(2));
  const wrong = await imported({ kind: 'model', url: at('/noise.onnx'), sha256: digest });
  const right = await imported({ kind: 'model', url: at('/other.onnx'), sha256: digest });
  asked = [];

  const again = await begin({ kind: 'model', url: at('/elsewhere.onnx'), sha256: digest });
  const stranger = await begin({ kind: 'model', url: at('/none.onnx'), sha256: digest }, 'bob');

  expect(wrong).toMatchObject({ status: 'failed', error: { code: 'DIGEST_MISMATCH' } });
  expect(right.result.id).toBe(digest);
  expect([again.status, again.body.status, again.body.result.id]).toEqual([
    200,
    'succeeded',
    digest,
  ]);
  expect(asked).not.toContain('/elsewhere.onnx');
  expect(stranger.status).toBe(202); // what another tenant has helps nobody
});

test('buckets that the operator has opened are read, and no others', async () => {
  const path = join(folder, 'model.onnx');
  writeFileSync(path, modelFile(3));
  const endpoint = `http://127.0.0.1:${s3.port}`;
  const bucket = new Bucket({ bucket: 'models', endpoint, region: 'us-east-1' });
  for (const key of ['team/a model.onnx', 'secret/model.onnx'])
    await bucket.putFile(key, path, modelFile(3).length);

  const good = await imported({ kind: 'model', url: 's3://models/team/a model.onnx' });
  const absent = await imported({ kind: 'model', url: 's3://models/team/none.onnx' });
  const refused = await Promise.all(
    [
      ...['s3://models/secret/model.onnx', 's3://models/teamster/model.onnx', 's3://other/x'],
      ...['s3://lathe/team/x', 's3://models', 's3://models/', 's3://127.0.0.1:80/team/x'],
    ].map((url) => begin({ kind: 'model', url })),
  );

  expect(good).toMatchObject({ status: 'succeeded', name: 'a model.onnx' });
  expect(absent).toMatchObject({ status: 'failed', error: { code: 'IMPORT_SOURCE_ANSWER' } });
  for (const answer of refused)
    expect([answer.status, answer.body.code]).toEqual([422, 'IMPORT_SOURCE_REFUSED']);
});

test.each([
  ['that redirects', '/moved.onnx', 'IMPORT_SOURCE_ANSWER', 'redirects are not followed'],
  ['that is not there', '/nothing.onnx', 'IMPORT_SOURCE_ANSWER', '404'],
  ['that is larger than may be', '/large.onnx', 'PAYLOAD_TOO_LARGE', '1048576'],
  ['that is no model', '/noise.onnx', 'MODEL_UNREADABLE', ''],
])('a file %s fails the import by name', async (_, path, code, says) => {
  const ended = await imported({ kind: 'model', url: at(path) });

  expect(ended).toMatchObject({ status: 'failed', result: null, error: { code } });
  expect(ended.error.detail).toContain(says);
  expect(site.incoming()).toEqual([]);
});

test('a file that never ends is given up', async () => {
  const impatient = await openSite({ LATHE_IMPORT_SECONDS: '2' });
  const begun = await impatient.http
    .post('/v1/imports')
    .send({ kind: 'model', url: at('/endless.onnx') });
  const ended = await impatient.http.get(begun.headers['location']!).query({ wait: 40 });
  const left = impatient.incoming();
  await impatient.close();

  expect(ended.body).toMatchObject({ status: 'failed', error: { code: 'IMPORT_TOO_SLOW' } });
  expect(ended.body.error.detail).toContain('2 s');
  expect(left).toEqual([]);
});

test.each(['/broken.onnx', '/cut.onnx'])('%s is tried three times', async (path) => {
  asked = [];

  const ended = await imported({ kind: 'model', url: at(path) });

  expect(ended.error).toMatchObject({ code: 'IMPORT_SOURCE_UNREACHABLE', retryable: true });
  expect(asked.filter((url) => url === path)).toHaveLength(3);
});

test('progress is told while it goes on, and an import that is deleted stops', async () => {
  const begun = await begin({ kind: 'model', url: at('/endless.onnx') });
  const path = begun.headers['location']!;
  let seen = { status: '', bytes: 0 };
  for (let tries = 0; tries < 100 && seen.bytes === 0; tries++) {
    await sleep(100);
    seen = (await site.http.get(path).set(as('ada'))).body;
  }

  const deleted = await site.http.delete(path).set(as('ada'));
  await sleep(1500);

  expect(seen.status).toBe('receiving');
  expect(deleted.status).toBe(204);
  expect((await site.http.get(path).set(as('ada'))).body.code).toBe('IMPORT_NOT_FOUND');
  expect(site.incoming()).toEqual([]);
});

test.each([
  ['another scheme', 'ftp://example.com/x'],
  ['a file', 'file:///etc/passwd'],
  ['a user name', 'https://user:hush@example.com/x'],
  ['no URL', 'model.onnx'],
  ['cloud metadata', 'http://169.254.169.254/latest/meta-data/'],
])('%s is refused as it is asked for', async (_, url) => {
  const answer = await begin({ kind: 'model', url });

  expect([answer.status, answer.body.code], answer.text).toEqual([422, 'IMPORT_SOURCE_REFUSED']);
  expect(answer.body.detail).not.toContain('hush');
});

test('imports of a tenant are nobody else’s', async () => {
  const begun = await begin({ kind: 'model', url: at('/nothing.onnx') });
  const path = begun.headers['location']!;

  expect((await site.http.get(path).set(as('bob'))).status).toBe(404);
  expect((await site.http.delete(path).set(as('bob'))).status).toBe(404);
  const own = (await site.http.get('/v1/imports').set(as('ada'))).body.items;
  expect(own.map((i: { id: string }) => i.id)).toContain(begun.body.id);
});
