/** @file One suite over every kind of storage: a disk, and an S3 server in this process. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { startFauxqs } from 'fauxqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { ArtifactStore } from '../../src/storage/artifact-store.ts';
import { Bucket } from '../../src/storage/bucket.ts';
import { openStore, STORES, type StorageSettings } from '../../src/storage/registry.ts';
import { digestOf } from '../helpers/digest.ts';

type Kind = keyof typeof STORES;

const folder = mkdtempSync(join(tmpdir(), 'lathe-store-'));
let stopS3 = async (): Promise<void> => {};
const settings: Record<Kind, StorageSettings> = {
  disk: { dataDir: join(folder, 'disk') },
  s3: { dataDir: join(folder, 's3'), storage: 's3' },
};

beforeAll(async () => {
  const server = await startFauxqs({ port: 0, logger: false, init: { buckets: ['lathe'] } });
  stopS3 = () => server.stop();
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  const endpoint = `http://127.0.0.1:${server.port}`;
  settings.s3 = { ...settings.s3, s3: { bucket: 'lathe', endpoint, region: 'us-east-1' } };
});

afterAll(async () => {
  await stopS3();
  rmSync(folder, { recursive: true, force: true });
});

async function* chunks(...parts: Uint8Array[]) {
  yield* parts;
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield randomBytes(1000);
  throw new Error('the client went away');
}

/** Other bytes under the same name, as a disk or a bucket may come to hold them. */
const spoil: Record<Kind, (digest: string) => Promise<void>> = {
  disk: async (digest) => {
    const hex = digest.slice(7);
    const path = join(settings.disk.dataDir, 'blobs', hex.slice(0, 2), hex);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
  },
  s3: async (digest) => {
    const hex = digest.slice(7);
    const bucket = new Bucket(settings.s3.s3!);
    const key = `${hex.slice(0, 2)}/${hex}`;
    const bytes = await buffer((await bucket.get(key)).body);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(join(folder, 'spoilt'), bytes);
    await bucket.putFile(key, join(folder, 'spoilt'), bytes.length);
  },
};

const NOWHERE = `sha256:${'0'.repeat(64)}`;

describe.each(Object.keys(STORES) as Kind[])('%s', (kind) => {
  let store: ArtifactStore;
  beforeAll(() => {
    store = openStore(settings[kind]);
  });

  const listed = async () => {
    const found: string[] = [];
    for await (const { digest } of store.list()) found.push(digest);
    return found.sort();
  };
  const left = () => {
    try {
      return readdirSync(join(settings[kind].dataDir, 'incoming'));
    } catch {
      return [];
    }
  };

  test('what is put as a stream is read back, whole and in part', async () => {
    const [a, b] = [randomBytes(100_000), randomBytes(7)];
    const whole = Buffer.concat([a, b]);

    const stored = await store.putStream(chunks(a, b), { sha256: digestOf(whole) });

    expect(stored).toEqual({ digest: digestOf(whole), bytes: 100_007 });
    expect(await buffer(await store.getStream(stored.digest))).toEqual(whole);
    const part = await buffer(
      await store.getStream(stored.digest, { start: 99_998, end: 100_002 }),
    );
    expect(part).toEqual(whole.subarray(99_998, 100_003));
    expect(await store.head(stored.digest)).toMatchObject({ ...stored, putAt: expect.any(Date) });
    expect(left()).toEqual([]);
  });

  test.each([false, true])('a file is kept, moved or not (move: %s)', async (move) => {
    const bytes = randomBytes(5000);
    const path = join(folder, `${kind}-${move}`);
    writeFileSync(path, bytes);

    const { digest } = await store.putFile(path, { move });

    const back = join(folder, `${kind}-${move}-back`);
    await store.fetchTo(digest, back);
    expect(readFileSync(back).equals(bytes)).toBe(true);
    expect(readdirSync(folder).includes(`${kind}-${move}`)).toBe(!move);
  });

  test('an empty file is a file', async () => {
    const { digest, bytes } = await store.putStream(chunks());

    expect(bytes).toBe(0);
    expect(await buffer(await store.getStream(digest))).toHaveLength(0);
  });

  test('the same bytes are one file, and a second put renews its time', async () => {
    const bytes = randomBytes(100);
    const { digest } = await store.putStream(chunks(bytes));
    const first = (await store.head(digest))!.putAt;
    await new Promise((done) => setTimeout(done, 1100)); // S3 counts in seconds

    await store.putStream(chunks(bytes));

    expect((await store.head(digest))!.putAt.getTime()).toBeGreaterThan(first.getTime());
    expect((await listed()).filter((name) => name === digest)).toHaveLength(1);
  });

  test.each([
    ['breaks off', () => broken(), {}, /went away/],
    ['is too long', () => chunks(randomBytes(11)), { limit: 10 }, /larger than 10 bytes/],
    ['is not what was announced', () => chunks(randomBytes(9)), { sha256: NOWHERE }, /announced/],
  ])('a stream that %s leaves nothing behind', async (_, source, options, message) => {
    const before = await listed();

    await expect(store.putStream(source(), options)).rejects.toThrow(message);

    expect(await listed()).toEqual(before);
    expect(left()).toEqual([]);
  });

  test('what is deleted is gone, and deleting it again says so', async () => {
    const { digest } = await store.putStream(chunks(randomBytes(10)));

    expect(await store.delete(digest)).toBe(true);

    expect(await store.delete(digest)).toBe(false);
    expect(await store.head(digest)).toBeUndefined();
    expect(await listed()).not.toContain(digest);
  });

  test.each([NOWHERE, 'sha256:../../etc/passwd', 'nonsense'])(
    '%s is missing, in every way of asking',
    async (digest) => {
      const target = join(folder, 'never');
      const missing = { code: 'STORED_FILE_MISSING' };

      expect(await store.head(digest)).toBeUndefined();
      await expect(store.getStream(digest)).rejects.toMatchObject(missing);
      await expect(store.fetchTo(digest, target)).rejects.toMatchObject(missing);
      expect(await store.delete(digest)).toBe(false);
      expect(readdirSync(folder)).not.toContain('never');
    },
  );

  describe('a damaged file', () => {
    const damaged = async (bytes: Buffer) => {
      const { digest } = await store.putStream(chunks(bytes));
      await spoil[kind](digest);
      return digest;
    };
    const corrupt = { code: 'STORED_FILE_CORRUPT' };

    test('that is small is refused before its first byte', async () => {
      const digest = await damaged(randomBytes(5000));

      await expect(store.getStream(digest)).rejects.toMatchObject(corrupt);
      await expect(store.getStream(digest)).rejects.toMatchObject(corrupt); // again: it was set aside
    });

    test('that is large breaks off before its last byte', async () => {
      const bytes = randomBytes(10 * 2 ** 20);
      const digest = await damaged(bytes);
      let came = 0;

      const read = async () => {
        for await (const chunk of await store.getStream(digest)) came += chunk.length;
      };

      await expect(read()).rejects.toMatchObject(corrupt);
      expect(came).toBeLessThan(bytes.length);
    });

    test('gives no part of itself', async () => {
      const digest = await damaged(randomBytes(5000));
      const part = store.getStream(digest, { start: 0, end: 9 });
      await expect(part).rejects.toMatchObject(corrupt);
    });

    test('is not fetched, and leaves no file', async () => {
      const digest = await damaged(randomBytes(5000));

      await expect(store.fetchTo(digest, join(folder, 'never'))).rejects.toMatchObject(corrupt);

      expect(readdirSync(folder)).not.toContain('never');
      expect(await store.head(digest)).toBeUndefined();
    });

    test('is mended by putting the same bytes again', async () => {
      const bytes = randomBytes(5000);
      const digest = await damaged(bytes);
      await expect(store.getStream(digest)).rejects.toMatchObject(corrupt);

      await store.putStream(chunks(bytes));

      expect(await buffer(await store.getStream(digest))).toEqual(bytes);
      expect(await listed()).toContain(digest);
    });
  });

  test('it can be used', async () => {
    const free = await store.free();
    expect(free ?? 1).toBeGreaterThan(0);
  });
});

test('a bucket that is not there is said so before anything is accepted', async () => {
  const { s3 } = settings.s3;
  const store = openStore({ ...settings.s3, s3: { ...s3!, bucket: 'elsewhere' } });
  await expect(store.free()).rejects.toThrow();
});

test('a file of several parts arrives whole', async () => {
  const store = openStore(settings.s3);
  const path = join(folder, 'large');
  const bytes = Buffer.alloc(32 * 2 ** 20 + 1, 'lathe');
  writeFileSync(path, bytes);

  const { digest } = await store.putFile(path);

  expect(digest).toBe(digestOf(bytes));
  expect((await buffer(await store.getStream(digest))).equals(bytes)).toBe(true);
});
