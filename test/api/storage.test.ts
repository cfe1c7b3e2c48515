/** @file Storage over HTTP: damaged files, addresses of files, collection beside submissions, backup and restoring. */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startFauxqs } from 'fauxqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startRedis } from '../../scripts/redis.mjs';
import { freeFiles } from '../../src/upkeep.ts';
import { BYTES, modelFile, openSite, type Site } from './site.ts';

const upload = async (site: Site, number: number) =>
  (await site.http.post('/v1/models').type(BYTES).send(modelFile(number))).body.id as string;
const fileOf = (site: Site, id: string) =>
  join(site.folder, 'blobs', id.slice(7, 9), id.slice('sha256:'.length));
const submit = (site: Site, model: string) =>
  site.http.post('/v1/jobs').send({ model, stages: [{ stage: 'simplify' }], cache: false });
const download = (site: Site, id: string) => site.http.get(`/v1/models/${id}/file`).buffer(true);

describe('on a disk', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(async () => {
    await site.close();
    expect(site.contract.broken).toEqual([]);
  });

  test('a damaged model gives one clear error, and uploading it again mends it', async () => {
    const id = await upload(site, 1);
    const bytes = readFileSync(fileOf(site, id));
    bytes[bytes.length - 9]! ^= 255;
    writeFileSync(fileOf(site, id), bytes);

    const part = await download(site, id).set('range', 'bytes=0-9');
    const whole = await download(site, id);
    const again = await download(site, id);
    const mended = await site.http.post('/v1/models').type(BYTES).send(modelFile(1));
    const good = await download(site, id);

    for (const answer of [part, whole, again]) {
      expect([answer.status, answer.body.code]).toEqual([500, 'STORED_FILE_CORRUPT']);
      expect(answer.headers['etag']).toBeUndefined();
    }
    expect([mended.status, mended.body.id]).toEqual([200, id]);
    expect([good.status, good.headers['content-length']]).toEqual([200, `${bytes.length}`]);
  });

  test('the address of a file is this server', async () => {
    const id = await upload(site, 2);

    const { body } = await site.http.get(`/v1/models/${id}/file`).query({ link: true });

    expect(body).toEqual({
      ...{ url: `/v1/models/${id}/file`, presigned: false, digest: id },
      ...{ bytes: modelFile(2).length, expiresAt: null },
    });
  });

  test('collection leaves what a job needs, whichever comes first', async () => {
    const { pins, store, ...needs } = site.services.collaborators as never as Parameters<
      typeof freeFiles
    >[0];
    const collect = () => freeFiles({ ...needs, pins, store }, undefined, 0);
    const [kept, pinned, condemned] = [
      await upload(site, 10),
      await upload(site, 11),
      await upload(site, 12),
    ];
    const job = await submit(site, kept);
    for (const id of [pinned, condemned]) await needs.models.remove('local', id);
    await pins.hold([pinned]);

    await collect();

    expect(job.status, job.text).toBe(202);
    expect(await store.head(kept)).toBeDefined();
    expect(await store.head(pinned)).toBeDefined();
    expect(await store.head(condemned)).toBeUndefined();
    expect(await pins.condemn(kept)).toBe(false); // the job holds it already
    expect(await pins.condemn(condemned)).toBe(true);
    expect(await pins.hold([condemned])).toBe(false);
  });

  test('a model that is deleted while jobs are submitted is gone with none of them', async () => {
    for (let round = 0; round < 5; round++) {
      const id = await upload(site, 20 + round);

      const [job, deleted] = await Promise.all([
        submit(site, id),
        site.http.delete(`/v1/models/${id}`),
      ]);
      const there = (await site.http.get(`/v1/models/${id}`)).status === 200;

      // Refused, or accepted with its model: never a job without one.
      if (job.status === 202) expect([round, there]).toEqual([round, true]);
      else expect([job.status, deleted.status, there]).toEqual([404, 204, false]);
    }
  });
});

describe('in a bucket', () => {
  let site: Site;
  let s3: Awaited<ReturnType<typeof startFauxqs>>;
  beforeAll(async () => {
    s3 = await startFauxqs({ port: 0, logger: false, init: { buckets: ['lathe'] } });
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
    const endpoint = `http://127.0.0.1:${s3.port}`;
    const bucket = { LATHE_STORAGE: 's3', LATHE_S3_BUCKET: 'lathe', LATHE_S3_ENDPOINT: endpoint };
    site = await openSite({ ...bucket, LATHE_S3_PUBLIC_ENDPOINT: endpoint });
  });
  afterAll(async () => {
    await site.close();
    await s3.stop();
    expect(site.contract.broken).toEqual([]);
  });

  test('the address of a file is the bucket: it needs no key, has the name, and an end', async () => {
    const id = await upload(site, 1);

    const { body } = await site.http.get(`/v1/models/${id}/file`).query({ link: true });
    const fetched = await fetch(body.url);

    expect(body).toMatchObject({ presigned: true, digest: id, bytes: modelFile(1).length });
    expect(new URL(body.url).searchParams.get('X-Amz-Expires')).toBe('3600');
    expect(new URL(body.url).searchParams.get('response-content-disposition')).toContain(
      'attachment',
    );
    expect(Buffer.from(await fetched.arrayBuffer()).equals(modelFile(1))).toBe(true);
  });
});

describe('backup', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lathe-backup-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('a copy of Redis and of the data folder is a server with everything in it', async () => {
    const [first, second] = [join(folder, 'redis'), join(folder, 'redis-restored')];
    mkdirSync(first);
    const before = await startRedis({ dir: first });
    const env = { LATHE_REDIS_PREFIX: 'lathe', REDIS_URL: before.url };
    const site = await openSite({ ...env, LATHE_DATA_DIR: join(folder, 'data') });
    const id = await upload(site, 1);
    const job = (await submit(site, id)).body.id;
    const { secret } = (await site.http.get('/v1/webhooks/secret')).body;
    await sleep(1500); // Redis writes its file out once a second

    // In this order, while the server runs: docs/reliability.md
    cpSync(join(folder, 'data'), join(folder, 'data-restored'), { recursive: true });
    cpSync(first, second, { recursive: true });
    cpSync(join(folder, 'data'), join(folder, 'data-restored'), { recursive: true });
    await site.close();
    await before.stop();

    const after = await startRedis({ dir: second });
    const restored = await openSite({
      ...{ LATHE_REDIS_PREFIX: 'lathe', REDIS_URL: after.url },
      LATHE_DATA_DIR: join(folder, 'data-restored'),
    });
    const file = await download(restored, id);
    const kept = await restored.http.get(`/v1/jobs/${job}`);
    const signing = await restored.http.get('/v1/webhooks/secret');
    await restored.close();
    await after.stop();

    expect([file.status, kept.body.status, signing.body.secret]).toEqual([200, 'queued', secret]);
  });
});
