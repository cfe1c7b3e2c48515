/** @file Idempotency-Key: one job per key, whoever asks how often, whatever dies in between. */

import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { connectRedis } from '../../src/records/redis.ts';
import { BYTES, modelFile, openSite, type Site } from './site.ts';

let site: Site;
let redis: Redis;
let model: string;
let keys = 0;
const KEYS = { ada: 'key-of-ada-1', bob: 'key-of-bob-1' };
const as = (tenant: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[tenant]}` });

beforeAll(async () => {
  site = await openSite({ LATHE_API_KEYS: `ada:${KEYS.ada},bob:${KEYS.bob}` });
  redis = connectRedis(site.redis.url, 'steady');
  for (const tenant of ['ada', 'bob'] as const)
    model = (await site.http.post('/v1/models').set(as(tenant)).type(BYTES).send(modelFile())).body
      .id;
});
afterAll(async () => {
  redis.disconnect();
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

const newKey = () => `key-${keys++}`;
const SPEC = { stages: [{ stage: 'simplify' }] };

const submit = (key: string, spec: object = SPEC, by: 'ada' | 'bob' = 'ada') =>
  site.http
    .post('/v1/jobs')
    .set({ ...as(by), 'idempotency-key': key.startsWith('"') ? key : `"${key}"` })
    .send({ model, ...spec });

const jobCount = async (by: 'ada' | 'bob' = 'ada') =>
  (await site.http.get('/v1/jobs?limit=200').set(as(by))).body.items.length;

/** The one value that Redis keeps of the only key that is not answered yet. */
async function kept(): Promise<string> {
  for (const name of await redis.keys(`${site.redis.prefix}:tenant:*:idempotency:*`))
    if (!(await redis.get(name))!.includes('"answer"')) return name;
  throw new Error('every key is answered');
}

test('the same request again is the same job, with the same answer', async () => {
  const key = newKey();
  const before = await jobCount();
  const first = await submit(key);
  await site.http.post(`/v1/jobs/${first.body.id}/cancel`).set(as('ada'));
  const again = await submit(key);

  expect([first.status, again.status]).toEqual([202, 202]);
  expect(again.body).toEqual(first.body);
  expect(again.headers['location']).toBe(first.headers['location']);
  expect(first.headers['idempotency-replayed']).toBeUndefined();
  expect(again.headers['idempotency-replayed']).toBe('true');
  expect(await jobCount()).toBe(before + 1);
});

test('with files: the same bytes are the same job, other bytes are refused', async () => {
  const key = newKey();
  const send = (number: number) =>
    site.http
      .post('/v1/jobs')
      .set({ ...as('ada'), 'idempotency-key': key })
      .field('spec', JSON.stringify(SPEC))
      .attach('model', modelFile(number), 'm.onnx');

  const [first, again, other] = [await send(5), await send(5), await send(6)];

  expect(again.body.id).toBe(first.body.id);
  expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
});

test('another spec under the same key is refused; the order of its fields does not matter', async () => {
  const key = newKey();
  const { id } = (await submit(key, { ...SPEC, seed: 1, labels: { a: '1', b: '2' } })).body;

  const sorted = await submit(key, { labels: { b: '2', a: '1' }, seed: 1, ...SPEC });
  const other = await submit(key, { ...SPEC, seed: 2 });

  expect(sorted.body.id).toBe(id);
  expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
});

test('sent many times at once it is one job', async () => {
  const key = newKey();
  const before = await jobCount();

  const answers = await Promise.all(Array.from({ length: 12 }, () => submit(key)));

  const ids = new Set(answers.filter((a) => a.status === 202).map((a) => a.body.id));
  const others = answers.filter((a) => a.status !== 202).map((a) => a.body.code);
  expect(ids.size).toBe(1);
  expect(others.every((code) => code === 'IDEMPOTENCY_IN_PROGRESS')).toBe(true);
  expect(await jobCount()).toBe(before + 1);
  expect((await submit(key)).body.id).toBe([...ids][0]);
});

test('keys of another tenant are others', async () => {
  const key = newKey();
  const [ada, bob] = [await submit(key), await submit(key, SPEC, 'bob')];

  expect([ada.status, bob.status]).toEqual([202, 202]);
  expect(bob.body.id).not.toBe(ada.body.id);
});

test('without a key each request is a job; quotes are optional', async () => {
  const plain = await site.http
    .post('/v1/jobs')
    .set({ ...as('ada'), 'idempotency-key': 'plain-1' })
    .send({ model, ...SPEC });
  const quoted = await submit('plain-1');
  const none = await site.http
    .post('/v1/jobs')
    .set(as('ada'))
    .send({ model, ...SPEC });

  expect(quoted.body.id).toBe(plain.body.id);
  expect(none.body.id).not.toBe(plain.body.id);
});

test.each(['""', `"${'x'.repeat(256)}"`, 'two words', '"a"b"'])('%s is no key', async (key) => {
  const answer = await site.http
    .post('/v1/jobs')
    .set({ ...as('ada'), 'idempotency-key': key })
    .send({ model, ...SPEC });

  expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, 'headers/idempotency-key']);
});

test('a request that was refused uses no key up, nor does a dry run', async () => {
  const key = newKey();
  const refused = await submit(key, { stages: [{ stage: 'nothing' }] });
  const dry = await site.http
    .post('/v1/jobs?dryRun=true')
    .set({ ...as('ada'), 'idempotency-key': `"${key}"` })
    .send({ model, ...SPEC });
  const mended = await submit(key);

  expect([refused.status, dry.status, mended.status]).toEqual([422, 200, 202]);
});

test('the server died before it made the job: the next one is told to wait, then makes it', async () => {
  const { idempotency } = site.services.collaborators;
  const { digestOfJson } = await import('../../src/contract/canonical-json.ts');
  const payload = digestOfJson({ spec: { model, ...SPEC } });
  const key = newKey();
  const turn = await idempotency.begin('ada', 'POST /v1/jobs', key, payload, async () => false);

  const early = await submit(key);
  const name = await kept();
  const value = JSON.parse((await redis.get(name))!);
  await redis.set(name, JSON.stringify({ ...value, at: value.at - 31_000 }), 'KEEPTTL');
  const late = await submit(key);

  expect([early.status, early.body.code, early.body.retryable]).toEqual([
    409,
    'IDEMPOTENCY_IN_PROGRESS',
    true,
  ]);
  expect(late.status).toBe(202);
  expect(late.body.id).toBe('begun' in turn ? turn.begun : '');
});

test('the server died after it made the job and before it answered: the answer is that job', async () => {
  const key = newKey();
  const first = await submit(key);
  const names = await redis.keys(`${site.redis.prefix}:tenant:ada:idempotency:*`);
  for (const name of names) {
    const { answer, ...rest } = JSON.parse((await redis.get(name))!);
    if (answer?.body.id === first.body.id) await redis.set(name, JSON.stringify(rest), 'KEEPTTL');
  }
  const again = await submit(key);

  expect([again.status, again.body.id]).toEqual([202, first.body.id]);
});

test('keys are kept for a day', async () => {
  const key = newKey();
  await submit(key);
  const names = await redis.keys(`${site.redis.prefix}:tenant:*:idempotency:*`);
  const left = await Promise.all(names.map((name) => redis.ttl(name)));

  expect(Math.min(...left)).toBeGreaterThan(86_000);
  expect(Math.max(...left)).toBeLessThanOrEqual(86_400);
});
