/** @file Who may do what: keys, tenants, and web pages that have no business here. */

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { BYTES, modelFile, openSite, type Site } from './site.ts';

/** Calls without a key that one server answers in a minute as such. */
const FEWER_THAN_A_GUESSER = 50;

describe('with keys', () => {
  let site: Site;
  const KEYS = { ada: 'key-of-ada-1', bob: 'key-of-bob-1' };
  const as = (tenant: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[tenant]}` });
  let model: string;
  let job: string;

  beforeAll(async () => {
    site = await openSite({
      LATHE_API_KEYS: `ada:${KEYS.ada},bob:${KEYS.bob},ada:second-key-of-ada`,
    });
    const uploaded = await site.http
      .post('/v1/models')
      .set(as('ada'))
      .type(BYTES)
      .send(modelFile(1));
    model = uploaded.body.id;
    const spec = { model, stages: [{ stage: 'simplify' }] };
    job = (await site.http.post('/v1/jobs').set(as('ada')).send(spec)).body.id;
  });
  afterAll(async () => {
    await site.close();
    expect(site.contract.broken).toEqual([]);
  });

  test('every route but health asks for a key', async () => {
    const document = site.app.swagger() as { paths: Record<string, Record<string, unknown>> };
    const calls = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => [method, path.replaceAll(/\{\w+\}/g, 'x')] as const),
    );
    const others = [
      ['get', '/openapi.json'],
      ['get', '/docs'],
      ['get', '/docs/errors'],
      ['get', '/docs/reference/js/scalar.js'],
      ['get', '/nowhere'],
    ] as const;
    const all = [...calls, ...others];
    for (let from = 0; from < all.length; from += FEWER_THAN_A_GUESSER) {
      // A server of its own for each part: an address that fails more often in a minute is told to wait.
      const asked = await openSite({ LATHE_API_KEYS: `ada:${KEYS.ada}` });
      for (const [method, path] of all.slice(from, from + FEWER_THAN_A_GUESSER)) {
        const answer = await asked.http[method as 'get'](path);
        const open = path === '/livez' || path === '/readyz';
        expect([path, answer.status]).toEqual([path, open ? 200 : 401]);
        if (!open) {
          expect(answer.body.code).toBe('UNAUTHORIZED');
          expect(answer.headers['www-authenticate']).toContain('Bearer');
        }
      }
      await asked.close();
    }
  });

  test.each([
    ['Bearer', { authorization: `Bearer ${KEYS.ada}` }, 200],
    ['bearer, in small letters', { authorization: `bearer ${KEYS.ada}` }, 200],
    ['x-api-key', { 'x-api-key': KEYS.ada }, 200],
    ['a second key of the tenant', { 'x-api-key': 'second-key-of-ada' }, 200],
    ['a wrong key', { 'x-api-key': 'key-of-ada-2' }, 401],
    ['the beginning of a key', { 'x-api-key': 'key-of-ada' }, 401],
    [
      'a password, where no browser reads',
      { authorization: `Basic ${btoa(`x:${KEYS.ada}`)}` },
      401,
    ],
  ])('%s', async (_, headers, status) => {
    expect((await site.http.get(`/v1/models/${model}`).set(headers)).status).toBe(status);
  });

  test('a browser may send the key as a password to read the documentation', async () => {
    const answer = await site.http
      .get('/docs')
      .set('authorization', `Basic ${btoa(`x:${KEYS.ada}`)}`);

    expect([answer.status, answer.text.includes('<script>')]).toEqual([200, false]);
  });

  test('what belongs to another tenant does not exist', async () => {
    const calls = [
      ['get', `/v1/models/${model}`],
      ['get', `/v1/models/${model}/file`],
      ['delete', `/v1/models/${model}`],
      ['get', `/v1/jobs/${job}`],
      ['get', `/v1/jobs/${job}/events`],
      ['get', `/v1/jobs/${job}/artifacts`],
      ['get', `/v1/jobs/${job}/artifacts/model.onnx`],
      ['post', `/v1/jobs/${job}/cancel`],
      ['post', `/v1/jobs/${job}/retry`],
      ['delete', `/v1/jobs/${job}`],
    ] as const;
    for (const [method, path] of calls)
      expect([path, (await site.http[method](path).set(as('bob'))).status]).toEqual([path, 404]);

    const spec = { model, stages: [{ stage: 'simplify' }] };
    const stolen = await site.http.post('/v1/jobs').set(as('bob')).send(spec);
    expect([stolen.status, stolen.body.code]).toEqual([404, 'MODEL_NOT_FOUND']);
    for (const list of ['/v1/models', '/v1/jobs'])
      expect((await site.http.get(list).set(as('bob'))).body.items).toEqual([]);
    expect((await site.http.get(`/v1/jobs/${job}`).set(as('ada'))).body.status).toBe('queued');
  });

  test('the same bytes are a model of each; deleting one leaves the other', async () => {
    const own = await site.http.post('/v1/models').set(as('bob')).type(BYTES).send(modelFile(1));
    const deleted = await site.http.delete(`/v1/models/${model}`).set(as('bob'));
    const left = await site.http.get(`/v1/models/${model}/file`).set(as('ada'));

    expect([own.status, own.body.id, deleted.status, left.status]).toEqual([201, model, 204, 200]);
  });

  test('each tenant has a signing secret of its own, always the same', async () => {
    const secret = async (tenant: 'ada' | 'bob') =>
      (await site.http.get('/v1/webhooks/secret').set(as(tenant))).body.secret;
    const [ada, again, bob] = [await secret('ada'), await secret('ada'), await secret('bob')];

    expect(ada).toMatch(/^whsec_[A-Za-z0-9+/=]{32,}$/);
    expect([again === ada, bob === ada]).toEqual([true, false]);
  });
});

describe('without keys', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(async () => {
    await site.close();
    expect(site.contract.broken).toEqual([]);
  });

  const get = (headers: Record<string, string>, path = '/v1/jobs') =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const call = request({ port: site.port, host: '127.0.0.1', path, headers });
      call.on('error', reject).on('response', (answer) => {
        let body = '';
        answer.on('data', (chunk) => {
          body += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode!, body }));
      });
      call.end();
    });

  test.each([
    ['localhost', { host: 'localhost:8080' }, 200],
    ['127.0.0.1', { host: '127.0.0.1' }, 200],
    ['[::1]', { host: '[::1]:8080' }, 200],
    ['a name that leads here', { host: 'evil.example' }, 403],
    ['a name that begins so', { host: 'localhost.evil.example' }, 403],
    ['a page of this server', { host: 'localhost:1', origin: 'http://localhost:1' }, 200],
    ['a page of another site', { host: 'localhost:1', origin: 'https://evil.example' }, 403],
    ['a page on another port', { host: 'localhost:1', origin: 'http://localhost:2' }, 403],
    ['a page of no site', { host: 'localhost:1', origin: 'null' }, 403],
    ['a cross-site fetch', { host: 'localhost', 'sec-fetch-site': 'cross-site' }, 403],
    ['a same-site fetch', { host: 'localhost', 'sec-fetch-site': 'same-site' }, 403],
    ['a same-origin fetch', { host: 'localhost', 'sec-fetch-site': 'same-origin' }, 200],
    ['a typed address', { host: 'localhost', 'sec-fetch-site': 'none' }, 200],
  ])('a request from %s', async (_, headers, status) => {
    const answer = await get(headers as Record<string, string>);

    expect(answer.status, answer.body).toBe(status);
    if (status === 403) expect(JSON.parse(answer.body).code).toBe('FORBIDDEN');
  });
});

test('more requests than the limit are told to wait, unknown routes included', async () => {
  const site = await openSite({ LATHE_RATE_LIMIT: '3' });
  const paths = ['/v1/jobs', '/nowhere', '/v1/stages', '/v1/jobs', '/nowhere', '/livez'];

  const answers = [];
  for (const path of paths) answers.push(await site.http.get(path));
  await site.close();

  expect(answers.map(({ status }) => status)).toEqual([200, 404, 200, 429, 429, 200]);
  expect(answers[3]!.body).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
  expect(Number(answers[3]!.headers['retry-after'])).toBeGreaterThan(0);
});
