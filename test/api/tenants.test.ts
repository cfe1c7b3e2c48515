/** @file Every route × the ids of another tenant: 404, as if there were nothing. */

import { afterAll, beforeAll, expect, test } from 'vitest';

import { connectRedis } from '../../src/records/redis.ts';
import { BYTES, datasetFile, modelFile, openSite, type Site } from './site.ts';

let site: Site;
const KEYS = { ada: 'key-of-ada-1', bob: 'key-of-bob-1' };
const as = (tenant: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[tenant]}` });
/** One of each kind, of ada. */
const owned: Record<string, string> = {};

beforeAll(async () => {
  site = await openSite({ LATHE_API_KEYS: `ada:${KEYS.ada},bob:${KEYS.bob}` });
  const post = async (path: string, body?: object) =>
    (await site.http.post(`/v1/${path}`).set(as('ada')).send(body)).body;
  const upload = async (path: string, file: Buffer) =>
    (await site.http.post(`/v1/${path}`).set(as('ada')).type(BYTES).send(file)).body.id;
  owned['models'] = await upload('models', modelFile(1));
  owned['datasets'] = await upload('datasets', await datasetFile());
  owned['jobs'] = (
    await post('jobs', { model: owned['models'], stages: [{ stage: 'simplify' }] })
  ).id;
  const tus = {
    'tus-resumable': '1.0.0',
    'upload-length': '10',
    'upload-metadata': 'kind bW9kZWw=',
  };
  const begun = await site.http.post('/v1/uploads').set({ ...as('ada'), ...tus });
  owned['uploads'] = begun.headers['location']!.split('/').at(-1)!;
  owned['imports'] = (await post('imports', { kind: 'model', url: 'http://127.0.0.1:9/x' })).id;
  owned['sweeps'] = (
    await post('sweeps', {
      model: owned['models'],
      specs: [{ stages: [{ stage: 'simplify' }], seed: 9 }],
    })
  ).id;
  owned['webhooks'] = (await post('webhooks', { url: 'http://127.0.0.1:9/' })).webhook.id;
  owned['delivery'] = (await post(`webhooks/${owned['webhooks']}/test`)).id;
  owned['keys'] = (await post('keys', { name: 'x', scopes: ['read'] })).about.id;
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

/** Bodies that would be accepted from the owner. */
const BODIES: Readonly<Record<string, object>> = { changeWebhook: { enabled: false } };

/** Without them the protocol is not spoken, and no id is looked at. */
const TUS = { 'tus-resumable': '1.0.0' };
const HEADERS: Readonly<Record<string, object>> = {
  uploadOffset: TUS,
  appendUpload: {
    ...{ ...TUS, 'upload-offset': '0' },
    'content-type': 'application/offset+octet-stream',
  },
};

test('no route tells, gives or changes anything by the id of another tenant', async () => {
  const document = site.app.swagger() as unknown as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  const tried: string[] = [];
  for (const [path, operations] of Object.entries(document.paths)) {
    const kind = path.split('/')[2] ?? '';
    if (!path.includes('{id}') || kind === 'workers') continue; // workers serve every tenant
    const url = path
      .replace('{id}', owned[kind]!)
      .replace('{delivery}', owned['delivery']!)
      .replace('{name}', 'model.onnx');
    for (const [method, { operationId }] of Object.entries(operations)) {
      const call = site.http[method as 'post'](url).set({ ...as('bob'), ...HEADERS[operationId] });
      const answer = await call.send(BODIES[operationId]);
      expect([operationId, answer.status]).toEqual([operationId, 404]);
      expect(answer.body.code).toMatch(/_NOT_FOUND$/);
      tried.push(operationId);
    }
  }
  expect(tried.length).toBeGreaterThan(22);
});

test('what the owner has is untouched', async () => {
  for (const kind of ['models', 'datasets', 'jobs', 'webhooks', 'keys'])
    expect((await site.http.get(`/v1/${kind}/${owned[kind]}`).set(as('ada'))).status).toBe(200);
  expect((await site.http.get(`/v1/jobs/${owned['jobs']}`).set(as('ada'))).body.status).toBe(
    'queued',
  );
});

test('no list and no spec shows or uses what belongs to another tenant', async () => {
  for (const list of ['models', 'datasets', 'jobs', 'sweeps', 'webhooks', 'keys'])
    expect((await site.http.get(`/v1/${list}`).set(as('bob'))).body.items).toEqual([]);
  const audit = (await site.http.get('/v1/audit').set(as('bob'))).body.items;
  const own = new Set(Object.values(owned));
  const stages = [{ stage: 'simplify' }];
  const specs = [
    { model: owned['models'], stages },
    { model: owned['models'], dataset: owned['datasets'], stages },
  ];

  for (const spec of specs)
    expect((await site.http.post('/v1/jobs').set(as('bob')).send(spec)).body.code).toBe(
      'MODEL_NOT_FOUND',
    );
  expect(audit.filter((e: { status: number }) => e.status < 400)).toEqual([]);
  expect(own.size).toBe(9);
});

test('every key in Redis that holds something of a tenant is named after it or by a secret id', async () => {
  const redis = connectRedis(site.redis.url, 'steady');
  const all = (await redis.keys(`${site.redis.prefix}:tenant:*`)).map((key) => key.split(':')[2]);
  redis.disconnect();

  expect(new Set(all)).toEqual(new Set(['ada', 'bob']));
});
