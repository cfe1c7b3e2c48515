/** @file Data sets over HTTP: named by their content, whatever archive it came in. */

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { BYTES, datasetFile, openSite, type Site } from './site.ts';

let site: Site;
let tar: Buffer;
beforeAll(async () => {
  site = await openSite();
  tar = await datasetFile();
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

test('a tar and the same as tar.gz are one data set', async () => {
  const first = await site.http.post('/v1/datasets').type('application/x-tar').send(tar);
  const again = await site.http.post('/v1/datasets').attach('file', gzipSync(tar), 'colours.tgz');

  expect(first.status, first.text).toBe(201);
  expect(first.body).toMatchObject({
    task: 'classify',
    classes: ['blue', 'green', 'red'],
    images: { train: 9, val: 3, test: 0 },
  });
  expect([again.status, again.body.id]).toEqual([200, first.body.id]);
  expect(site.incoming()).toEqual([]);

  const { id } = first.body;
  const file = await site.http
    .get(`/v1/datasets/${id}/file`)
    .buffer(true)
    .parse((res, done) => {
      const hash = createHash('sha256');
      res.on('data', (chunk) => hash.update(chunk));
      res.on('end', () => done(null, hash.digest('hex')));
    });
  const list = await site.http.get('/v1/datasets');
  const deleted = await site.http.delete(`/v1/datasets/${id}`);
  const gone = await site.http.get(`/v1/datasets/${id}`);

  expect(file.body).toBe(createHash('sha256').update(tar).digest('hex'));
  expect(list.body).toMatchObject({ items: [{ id }], nextCursor: null });
  expect([deleted.status, gone.status, gone.body.code]).toEqual([204, 404, 'DATASET_NOT_FOUND']);
});

test.each([
  ['no archive', () => Buffer.from('just text'), 'ARCHIVE_INVALID'],
  ['half an archive', () => gzipSync(tar).subarray(0, 300), 'ARCHIVE_INVALID'],
])('%s is refused and leaves nothing', async (_, bytes, code) => {
  const before = site.stored();

  const answer = await site.http.post('/v1/datasets').type(BYTES).send(bytes());

  expect([answer.status, answer.body.code], answer.text).toEqual([422, code]);
  expect([site.incoming(), site.stored()]).toEqual([[], before]);
});
