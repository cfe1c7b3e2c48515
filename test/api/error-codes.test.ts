/** @file Error codes that take some doing: limits of numbers, locks, ranges, a server that is about to stop. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { Lease } from '../../src/records/lease.ts';
import { connectRedis } from '../../src/records/redis.ts';
import { Seal } from '../../src/secrets/seal.ts';
import { BYTES, datasetFile, modelFile, openSite, type Site } from './site.ts';

const KEY = { authorization: 'Bearer key-of-ada-1' };
const TUS = { 'tus-resumable': '1.0.0' };

let site: Site;
let silent: Server;
beforeAll(async () => {
  silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  site = await openSite({ LATHE_API_KEYS: 'ada:key-of-ada-1' });
});
afterAll(async () => {
  await site.close();
  silent.closeAllConnections();
  silent.close();
  expect(site.contract.broken).toEqual([]);
});

const post = (path: string, body?: object) => site.http.post(path).set(KEY).send(body);
const begin = () =>
  site.http
    .post('/v1/uploads')
    .set({ ...KEY, ...TUS, 'upload-length': '10', 'upload-metadata': 'kind bW9kZWw=' });

test.each([
  ['KEY_NOT_FOUND', () => site.http.get(`/v1/keys/key_${'0'.repeat(32)}`)],
  ['UPLOAD_NOT_FOUND', () => site.http.get(`/v1/uploads/up_${'0'.repeat(32)}`)],
  ['IMPORT_NOT_FOUND', () => site.http.get(`/v1/imports/imp_${'0'.repeat(32)}`)],
])('%s: an id that is nobody’s', async (code, call) => {
  const answer = await call().set(KEY);

  expect([answer.status, answer.body.code]).toEqual([404, code]);
});

test.each([
  ['TOO_MANY_KEYS', 100, () => post('/v1/keys', { name: 'x', scopes: ['read'] })],
  ['TOO_MANY_UPLOADS', 100, begin],
  [
    'TOO_MANY_IMPORTS',
    100,
    () => {
      const { port } = silent.address() as AddressInfo;
      return post('/v1/imports', { kind: 'model', url: `http://127.0.0.1:${port}/x` });
    },
  ],
] as const)('%s: one more than a tenant may have', async (code, most, add) => {
  for (let i = 0; i < most; i++) expect((await add()).status).toBeLessThan(300);

  const answer = await add();

  expect([answer.status, answer.body.code]).toEqual([409, code]);
  expect(answer.body.detail).toContain(String(most));
});

test('DATASET_IN_USE: a job needs it', async () => {
  const upload = (path: string, bytes: Buffer) =>
    site.http.post(path).set(KEY).type(BYTES).send(bytes);
  const dataset = (await upload('/v1/datasets', await datasetFile())).body.id;
  const model = (await upload('/v1/models', modelFile(1))).body.id;
  const job = await post('/v1/jobs', { model, dataset, stages: [{ stage: 'simplify' }] });
  expect(job.status, job.text).toBe(202);

  const answer = await site.http.delete(`/v1/datasets/${dataset}`).set(KEY);
  const beyond = await site.http
    .get(`/v1/models/${model}/file`)
    .set({ ...KEY, range: 'bytes=99999999-' });

  expect([answer.status, answer.body.code]).toEqual([409, 'DATASET_IN_USE']);
  expect([beyond.status, beyond.body.code]).toEqual([416, 'RANGE_NOT_SATISFIABLE']);
});

test('UPLOAD_LOCKED: another server is writing, and does not hear us', async () => {
  const { items } = (await site.http.get('/v1/uploads').set(KEY)).body;
  const redis = connectRedis(site.redis.url, 'steady');
  const lease = await Lease.take(redis, `${site.redis.prefix}:uploads:lock:${items[0].id}`);

  const answer = await site.http
    .patch(`/v1/uploads/${items[0].id}`)
    .set({
      ...KEY,
      ...TUS,
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
    })
    .send(Buffer.from('abc'));
  await lease!.release();
  redis.disconnect();

  expect([answer.status, answer.body.code, answer.body.retryable]).toEqual([
    ...[423, 'UPLOAD_LOCKED', true],
  ]);
});

test('SECRET_UNREADABLE: it was sealed with a key that is gone', async () => {
  const redis = connectRedis(site.redis.url, 'steady');
  const key = `${site.redis.prefix}:tenant:ada:signing-secret`;
  await redis.set(key, new Seal('another').seal('whsec_x'));

  const answer = await site.http.get('/v1/webhooks/secret').set(KEY);
  await redis.del(key);
  redis.disconnect();

  expect([answer.status, answer.body.code]).toEqual([500, 'SECRET_UNREADABLE']);
});

test('SHUTTING_DOWN: the server is about to stop', async () => {
  site.closing.abort();

  const answer = await site.http.get('/v1/models').set(KEY);

  expect([answer.status, answer.body.code]).toEqual([503, 'SHUTTING_DOWN']);
  expect(answer.headers['connection']).toBe('close');
});
