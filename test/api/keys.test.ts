/** @file API keys: made, used within their scopes, rotated, revoked; and the log of what was done with them. */

import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Keys } from '../../src/records/keys.ts';
import { connectRedis } from '../../src/records/redis.ts';
import { BYTES, modelFile, openSite, type Site } from './site.ts';

let site: Site;
let redis: Redis;
const KEYS = { ada: 'key-of-ada-1', bob: 'key-of-bob-1' };
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

beforeAll(async () => {
  site = await openSite({ LATHE_API_KEYS: `ada:${KEYS.ada},bob:${KEYS.bob}` });
  redis = connectRedis(site.redis.url, 'steady');
});
afterAll(async () => {
  redis.disconnect();
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

async function make(scopes: string[], by = KEYS.ada, more: object = {}) {
  const body = { name: 'a pipeline', scopes, ...more };
  const { body: made } = await site.http.post('/v1/keys').set(bearer(by)).send(body);
  return made as { key: string; about: { id: string } };
}

const status = async (key: string, path = '/v1/jobs') =>
  (await site.http.get(path).set(bearer(key))).status;

test('a key is shown once, and hashed where it is kept', async () => {
  const answer = await site.http
    .post('/v1/keys')
    .set(bearer(KEYS.ada))
    .send({ name: 'nightly', scopes: ['submit'] });
  const { key, about } = answer.body;

  expect(answer.status, answer.text).toBe(201);
  expect(answer.headers).toMatchObject({
    'cache-control': 'no-store',
    location: `/v1/keys/${about.id}`,
  });
  expect(key).toMatch(/^lathe_[0-9a-f]{32}_[\w-]{43}$/);
  expect(about).toMatchObject({ name: 'nightly', scopes: ['submit'], expiresAt: null });
  const secret = key.split('_').slice(2).join('_');
  const everything = JSON.stringify(await redis.hgetall(`${site.redis.prefix}:keys`));
  expect(everything).toContain(about.id);
  expect(everything).not.toContain(secret);
  const listed = await site.http.get('/v1/keys').set(bearer(KEYS.ada));
  expect(listed.text).toContain(about.id);
  expect(listed.text).not.toContain(secret);
});

test('it opens what its tenant owns, and tells when it was used', async () => {
  const { key, about } = await make(['submit']);
  const uploaded = await site.http
    .post('/v1/models')
    .set(bearer(key))
    .type(BYTES)
    .send(modelFile(1));

  expect(uploaded.status).toBe(201);
  expect(await status(KEYS.ada, `/v1/models/${uploaded.body.id}`)).toBe(200);
  expect(await status(KEYS.bob, `/v1/models/${uploaded.body.id}`)).toBe(404);
  const { lastUsedAt } = (await site.http.get(`/v1/keys/${about.id}`).set(bearer(KEYS.ada))).body;
  expect(Date.now() - Date.parse(lastUsedAt)).toBeLessThan(60_000);
});

describe('scopes', () => {
  const CALLS = [
    ['get', '/v1/jobs', 'read'],
    ['get', '/v1/models', 'read'],
    ['get', '/v1/workers', 'read'],
    ['get', '/v1/webhooks', 'read'],
    ['get', '/metrics', 'read'],
    ['get', '/openapi.json', 'read'],
    ['post', '/v1/jobs', 'submit'],
    ['post', '/v1/models', 'submit'],
    ['delete', '/v1/models/sha256:x', 'submit'],
    ['post', '/v1/jobs/job_x/cancel', 'submit'],
    ['delete', '/v1/jobs/job_x', 'submit'],
    ['get', '/v1/webhooks/secret', 'admin'],
    ['post', '/v1/webhooks', 'admin'],
    ['post', '/v1/webhooks/wh_x/test', 'admin'],
    ['post', '/v1/webhooks/secret/rotate', 'admin'],
    ['get', '/v1/keys', 'admin'],
    ['post', '/v1/keys', 'admin'],
    ['delete', '/v1/keys/key_x', 'admin'],
    ['get', '/v1/audit', 'admin'],
    ['post', '/v1/workers/x/pause', 'operator'],
  ] as const;
  const RANKS = ['read', 'submit', 'admin', 'operator'];

  test.each(['read', 'submit', 'admin'])('%s', async (scope) => {
    const { key } = await make([scope]);
    for (const [method, path, needed] of CALLS) {
      const { status: answered, body } = await site.http[method](path).set(bearer(key));
      const allowed = RANKS.indexOf(scope) >= RANKS.indexOf(needed);
      expect([method, path, body.code === 'SCOPE_MISSING']).toEqual([method, path, !allowed]);
      if (!allowed) expect(answered).toBe(403);
    }
  });

  /** Methods that change nothing; the others all do. */
  const READS = new Set(['get', 'head', 'options']);

  test('every route that changes something needs more than read', async () => {
    const { key } = await make(['read']);
    const document = site.app.swagger() as { paths: Record<string, Record<string, unknown>> };
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const method of Object.keys(operations).filter((m) => !READS.has(m))) {
        const url = path.replaceAll(/\{\w+\}/g, 'x');
        const { body } = await site.http[method as 'post'](url).set(bearer(key));
        expect([method, path, body.code]).toEqual([method, path, 'SCOPE_MISSING']);
      }
    }
  });

  test('operators: those that are named, or the only tenant', async () => {
    const pause = async (env: Record<string, string>, key: string) => {
      const other = await openSite(env);
      const answer = await other.http.post('/v1/workers/x/pause').set(bearer(key));
      await other.close();
      return answer.body.code;
    };
    const both = { LATHE_API_KEYS: `ada:${KEYS.ada},bob:${KEYS.bob}` };

    expect(await pause({ LATHE_API_KEYS: `ada:${KEYS.ada}` }, KEYS.ada)).toBe('WORKER_NOT_FOUND');
    expect(await pause({ ...both, LATHE_OPERATORS: 'ada' }, KEYS.ada)).toBe('WORKER_NOT_FOUND');
    expect(await pause({ ...both, LATHE_OPERATORS: 'ada' }, KEYS.bob)).toBe('SCOPE_MISSING');
    expect(await pause(both, KEYS.ada)).toBe('SCOPE_MISSING');
  });
});

test('a rotated key: both are valid for the overlap, then the new one alone', async () => {
  const { key, about } = await make(['read']);
  const rotate = async (body?: object) =>
    (await site.http.post(`/v1/keys/${about.id}/rotate`).set(bearer(KEYS.ada)).send(body)).body;

  const second = await rotate();
  expect([await status(key), await status(second.key)]).toEqual([200, 200]);
  const left = Date.parse(second.about.previousValidUntil) - Date.now();
  expect(left).toBeGreaterThan(23.9 * 3_600_000);
  const third = await rotate({ overlapHours: 0 });
  expect([await status(key), await status(second.key), await status(third.key)]).toEqual([
    401, 401, 200,
  ]);
});

test('a revoked key is refused at once, everywhere', async () => {
  const { key, about } = await make(['admin']);
  const revoked = await site.http.delete(`/v1/keys/${about.id}`).set(bearer(key));

  expect(revoked.status).toBe(204);
  expect(await status(key)).toBe(401);
});

test('a key is valid until it expires; the overlap of a rotation ends as well', async () => {
  const keys = new Keys(redis, site.redis.prefix);
  const { key, record } = (await keys.create('ada', {
    name: 'short',
    scopes: ['read'],
    days: 2,
  }))!;
  await keys.rotate('ada', record.id, 24);
  const at = (hours: number) => keys.identify(key, Date.now() + hours * 3_600_000);

  expect(await at(23)).toMatchObject({ id: record.id });
  expect(await at(25)).toBeUndefined();
  const { key: next } = (await keys.rotate('ada', record.id, 24))!;
  expect(await keys.identify(next, Date.now() + 47 * 3_600_000)).toMatchObject({ id: record.id });
  expect(await keys.identify(next, Date.now() + 49 * 3_600_000)).toBeUndefined();
});

test.each([
  ['another secret', (key: string) => `${key.slice(0, -4)}AAAA`],
  ['the secret of another key', (key: string, other: string) => key.slice(0, 39) + other.slice(39)],
  ['only its id', (key: string) => key.slice(0, 38)],
  [
    'an id that does not exist',
    (key: string) => key.replace(/_[0-9a-f]{32}_/, `_${'0'.repeat(32)}_`),
  ],
])('%s is refused', async (_, forge) => {
  const [one, other] = [await make(['read']), await make(['read'])];
  const forged = forge(one.key, other.key);

  expect(forged).not.toBe(one.key);
  expect(await status(forged)).toBe(401);
});

test.each([
  ['no scopes', { name: 'x', scopes: [] }, '/scopes'],
  ['a scope that does not exist', { name: 'x', scopes: ['root'] }, '/scopes/0'],
  ['no name', { scopes: ['read'] }, '/name'],
  ['an unknown field', { name: 'x', scopes: ['read'], tenant: 'bob' }, '/tenant'],
])('%s is refused', async (_, body, pointer) => {
  const answer = await site.http.post('/v1/keys').set(bearer(KEYS.ada)).send(body);

  expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, pointer]);
});

test('a hundred keys are enough', async () => {
  const keys = new Keys(redis, site.redis.prefix);
  for (let i = 0; i < 100; i++) await keys.create('carl', { name: 'x', scopes: ['read'] });

  expect(await keys.create('carl', { name: 'x', scopes: ['read'] })).toBeUndefined();
});

test('the audit log tells who did what, refusals too, and holds no secret', async () => {
  const { key, about } = await make(['submit'], KEYS.bob);
  await site.http.post('/v1/webhooks').set(bearer(key)).send({ url: 'https://example.com' });
  const model = await site.http.post('/v1/models').set(bearer(key)).type(BYTES).send(modelFile(2));
  await site.http.get('/v1/jobs').set(bearer(key));
  await site.http.delete(`/v1/keys/${about.id}`).set({ ...bearer(KEYS.bob), 'x-request-id': 'r7' });

  const log = () => site.http.get('/v1/audit').set(bearer(KEYS.bob));
  await expect.poll(async () => (await log()).body.items.length).toBe(4);
  const { body, text } = await log();

  const told = body.items.map((e: Record<string, unknown>) => [
    e['action'],
    e['target'],
    e['status'],
    e['key'],
  ]);
  expect(told).toEqual([
    ['revokeKey', about.id, 204, null],
    ['uploadModel', model.body.id, 201, about.id],
    ['createWebhook', null, 403, about.id],
    ['createKey', about.id, 201, null],
  ]);
  expect(body.items[0]).toMatchObject({ request: 'r7', address: '127.0.0.1' });
  expect(text).not.toContain(key.split('_')[2]);
  const page = await site.http.get('/v1/audit?limit=3').set(bearer(KEYS.bob));
  const rest = await site.http
    .get(`/v1/audit?limit=3&cursor=${page.body.nextCursor}`)
    .set(bearer(KEYS.bob));
  expect([page.body.items.length, rest.body.items.length, rest.body.nextCursor]).toEqual([
    3,
    1,
    null,
  ]);
});

test('a server that asks for no key makes none', async () => {
  const open = await openSite();
  const answer = await open.http.post('/v1/keys').send({ name: 'x', scopes: ['read'] });
  await open.close();

  expect([answer.status, answer.body.code]).toEqual([403, 'FORBIDDEN']);
});
