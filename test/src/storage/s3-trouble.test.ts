/** @file A bucket that has bad moments. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { Bucket } from '../../../src/storage/bucket.ts';
import { S3Store } from '../../../src/storage/s3.ts';
import { type TroubledS3, troubledS3 } from '../../chaos/troubled-s3.ts';
import { digestOf } from '../../helpers/digest.ts';

let s3: TroubledS3;
let store: S3Store;
const folder = mkdtempSync(join(tmpdir(), 'lathe-s3-'));

beforeAll(async () => {
  s3 = await troubledS3();
  Object.assign(process.env, s3.env);
  const endpoint = s3.env['LATHE_S3_ENDPOINT']!;
  store = new S3Store(new Bucket({ bucket: 'lathe', endpoint, region: 'us-east-1' }), folder);
});
afterAll(async () => {
  await s3.close();
  for (const name of Object.keys(s3.env)) delete process.env[name];
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  s3.trouble = 'none';
});

async function* once(bytes: Uint8Array) {
  yield bytes;
}

const troubleFor = (milliseconds: number) => {
  s3.trouble = 'error';
  setTimeout(() => {
    s3.trouble = 'none';
  }, milliseconds);
};

test('a second of answers 500 is waited for, in writing and in reading', async () => {
  const bytes = randomBytes(100_000);

  troubleFor(1000);
  const { digest } = await store.putStream(once(bytes));
  troubleFor(1000);
  const back = await buffer(await store.getStream(digest));
  troubleFor(1000);
  const path = join(folder, 'file');
  await store.fetchTo(digest, path);

  expect(digest).toBe(digestOf(bytes));
  expect(back.equals(bytes)).toBe(true);
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

test('a bucket that stays away is named, and may be tried again', async () => {
  s3.trouble = 'error';
  const put = store.putStream(once(randomBytes(10)));

  await expect(put).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    message: expect.stringContaining('it answered 500'),
  });
});

test('readiness does not wait: it says so at once', async () => {
  s3.trouble = 'error';
  const begun = performance.now();

  await expect(store.free()).rejects.toThrow();
  expect(performance.now() - begun).toBeLessThan(3000);
});
