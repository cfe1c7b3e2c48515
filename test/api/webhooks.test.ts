/** @file /v1/webhooks over HTTP: from registration to delivery log. */

import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Receiver, receiver } from '../helpers/receiver.ts';
import { BYTES, modelFile, openSite, type Site } from './site.ts';

let site: Site;
let target: Receiver;
const KEYS = { ada: 'key-of-ada-1', bob: 'key-of-bob-1' };
const as = (tenant: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[tenant]}` });

beforeAll(async () => {
  site = await openSite({ LATHE_API_KEYS: `ada:${KEYS.ada},bob:${KEYS.bob}` });
  target = await receiver();
});
afterAll(async () => {
  await site.close();
  await target.close();
  expect(site.contract.broken).toEqual([]);
});

const call = (
  method: 'get' | 'post' | 'patch' | 'delete',
  path: string,
  by: 'ada' | 'bob' = 'ada',
) => site.http[method](`/v1/webhooks${path}`).set(as(by));

const register = async (body: object = { url: target.url }) =>
  (await call('post', '').send(body)).body as { webhook: { id: string }; secret: string };

test('register, hear of a cancelled job, read the log, send it again, delete', async () => {
  const created = await call('post', '').send({ url: target.url, description: 'pipeline' });
  const { webhook, secret } = created.body;
  const model = await site.http.post('/v1/models').set(as('ada')).type(BYTES).send(modelFile(1));
  const spec = { model: model.body.id, stages: [{ stage: 'simplify' }] };
  const job = (await site.http.post('/v1/jobs').set(as('ada')).send(spec)).body.id;
  await site.http.post(`/v1/jobs/${job}/cancel`).set(as('ada'));
  await expect.poll(() => target.received.length).toBe(1);

  const [{ body, headers }] = target.received as [Receiver['received'][number]];
  const told = new Webhook(secret).verify(body, headers as Record<string, string>);
  const log = (await call('get', `/${webhook.id}/deliveries`)).body.items;
  const one = await call('get', `/${webhook.id}/deliveries/${log[0].id}`);
  const again = await call('post', `/${webhook.id}/deliveries/${log[0].id}/redeliver`);
  await expect.poll(() => target.received.length).toBe(2);
  const deleted = await call('delete', `/${webhook.id}`);

  expect([created.status, created.headers['location']]).toEqual([
    201,
    `/v1/webhooks/${webhook.id}`,
  ]);
  expect(webhook).toMatchObject({
    description: 'pipeline',
    enabled: true,
    events: ['job.succeeded', 'job.failed', 'job.cancelled', 'job.expired'],
  });
  expect(told).toMatchObject({ type: 'job.cancelled', data: { id: job } });
  expect(log).toMatchObject([{ job, status: 'delivered', tries: [{ status: 204, error: null }] }]);
  expect(one.body.body).toBe(body);
  expect([again.status, again.body.status, deleted.status]).toEqual([202, 'pending', 204]);
  expect((await call('get', `/${webhook.id}`)).body.code).toBe('WEBHOOK_NOT_FOUND');
  expect((await call('get', '')).body.items).toEqual([]);
});

test('the secret is shown once, and never cached', async () => {
  const created = await call('post', '').send({ url: target.url });
  const { webhook } = created.body;
  const rotated = await call('post', `/${webhook.id}/rotate`);

  expect(created.headers['cache-control']).toBe('no-store');
  expect(rotated.headers['cache-control']).toBe('no-store');
  expect(rotated.body.secret).toMatch(/^whsec_/);
  expect(rotated.body.secret).not.toBe(created.body.secret);
  for (const path of [`/${webhook.id}`, ''])
    expect((await call('get', path)).text).not.toContain('whsec_');
});

test('change events and address, disable, enable', async () => {
  const { webhook } = await register();
  const change = async (body: object) => (await call('patch', `/${webhook.id}`).send(body)).body;

  expect(await change({ events: ['job.started'] })).toMatchObject({ events: ['job.started'] });
  expect(await change({ enabled: false })).toMatchObject({
    enabled: false,
    disabledReason: 'by request',
  });
  expect((await call('post', `/${webhook.id}/test`)).body.code).toBe('WEBHOOK_DISABLED');
  expect(await change({ enabled: true })).toMatchObject({ enabled: true, disabledReason: null });
  expect(await change({ url: 'http://169.254.169.254/' })).toMatchObject({
    code: 'WEBHOOK_TARGET_REFUSED',
  });
  expect((await call('post', `/${webhook.id}/test`)).status).toBe(202);
});

test.each([
  ['no address', {}, 400, '/url'],
  ['an unknown event', { url: 'https://example.com', events: ['job.done'] }, 400, '/events/0'],
  ['an unknown field', { url: 'https://example.com', secret: 'x' }, 400, '/secret'],
  ['no events', { url: 'https://example.com', events: [] }, 400, '/events'],
  ['an address of the cloud', { url: 'http://169.254.169.254/' }, 422, undefined],
  ['an empty body', undefined, 400, undefined],
])('%s is refused', async (_, body, status, pointer) => {
  const answer = await call('post', '')
    .type('json')
    .send(body && JSON.stringify(body));

  expect([answer.status, answer.body.errors[0]?.pointer]).toEqual([status, pointer]);
});

test('endpoints of another tenant do not exist', async () => {
  const { webhook } = await register();
  const delivery = (await call('post', `/${webhook.id}/test`)).body.id;
  const calls = [
    ['get', ''],
    ['patch', ''],
    ['delete', ''],
    ['post', '/rotate'],
    ['post', '/test'],
    ['get', '/deliveries'],
    ['get', `/deliveries/${delivery}`],
    ['post', `/deliveries/${delivery}/redeliver`],
  ] as const;

  for (const [method, path] of calls) {
    const answer = await call(method, `/${webhook.id}${path}`, 'bob').send(
      method === 'patch' ? { enabled: false } : undefined,
    );
    expect([path, answer.status, answer.body.code]).toEqual([path, 404, 'WEBHOOK_NOT_FOUND']);
  }
  expect((await call('get', '', 'bob')).body.items).toEqual([]);
  expect((await call('get', `/${webhook.id}/deliveries/msg_none`)).body.code).toBe(
    'DELIVERY_NOT_FOUND',
  );
});
