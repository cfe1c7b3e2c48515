/** @file Endpoints: who hears what, what the log says, and when an endpoint is given up. */

import type { Redis } from 'ioredis';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { newJobId } from '../../../src/contract/ids.ts';
import type { EndpointRecord } from '../../../src/records/endpoints.ts';
import type { JobRecord, WebhookEvent } from '../../../src/records/job-record.ts';
import { Jobs } from '../../../src/records/jobs.ts';
import { connectRedis } from '../../../src/records/redis.ts';
import { Seal } from '../../../src/secrets/seal.ts';
import { RETRY_AFTER } from '../../../src/webhooks/schedule.ts';
import { Webhooks } from '../../../src/webhooks/webhooks.ts';
import { type Receiver, receiver } from '../../helpers/receiver.ts';
import { type TestRedis, testRedis } from '../../helpers/redis.ts';

let server: TestRedis;
let redis: Redis;
let jobs: Jobs;
let webhooks: Webhooks;
let deliveries: { close(): Promise<void> };
let target: Receiver;
let tenant: string;
let tenants = 0;

beforeAll(async () => {
  server = await testRedis();
  redis = connectRedis(server.url, 'steady');
  jobs = new Jobs(redis, server.prefix);
  webhooks = new Webhooks({ jobs, redis, seal: new Seal('for tests'), allowPrivate: true });
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

beforeEach(async () => {
  tenant = `t${tenants++}`;
  target = await receiver();
  deliver();
});
afterEach(async () => {
  await deliveries.close();
  await target.close();
});

function deliver(options: { delay?: number; patience?: number } = {}): void {
  const { delay = 50, patience } = options;
  deliveries = webhooks.deliver({
    jobs,
    prefix: server.prefix,
    redis,
    waiting: connectRedis(server.url, 'steady'),
    delay: () => delay,
    ...(patience !== undefined && { patience }),
    onError: (error) => console.error(error.message),
  });
}

const register = (events?: WebhookEvent[]) =>
  webhooks.register(tenant, { url: target.url, ...(events && { events }) });

const job = (of = tenant): Promise<JobRecord> =>
  jobs.create({ id: newJobId(), tenant: of, spec: { stages: [{ stage: 'simplify' }] } });

const become = ({ id }: JobRecord, status: JobRecord['status']) =>
  jobs.change(id, () => ({ set: { status } }));

const count = (n: number) => expect.poll(() => target.received.length, { timeout: 9000 }).toBe(n);

const logOf = async ({ id }: EndpointRecord) => (await webhooks.deliveries(tenant, id, 50)).items;

const settled = (endpoint: EndpointRecord, status: string) =>
  expect.poll(async () => (await logOf(endpoint))[0]?.status, { timeout: 9000 }).toBe(status);

test('each endpoint hears the events it asked for, of its own tenant, signed with its own secret', async () => {
  const ends = await register();
  const starts = await register(['job.started']);
  const { id } = await job();

  await become(await job('somebody else'), 'failed');
  await jobs.change(id, () => ({ set: { status: 'running' } }));
  await jobs.change(id, () => ({ set: { status: 'succeeded', outcome: 'pass' } }));
  await count(2);

  const told = Object.fromEntries(target.received.map((r) => [JSON.parse(r.body).type, r]));
  expect(Object.keys(told).sort()).toEqual(['job.started', 'job.succeeded']);
  const check = (secret: string, type: string) => () =>
    new Webhook(secret).verify(told[type]!.body, told[type]!.headers as Record<string, string>);
  expect(check(ends.secret, 'job.succeeded')()).toMatchObject({ data: { id, outcome: 'pass' } });
  expect(check(starts.secret, 'job.started')).not.toThrow();
  expect(check(ends.secret, 'job.started')).toThrow();
});

test('an endpoint hears nothing of what happened before it was there', async () => {
  await deliveries.close();
  await register();
  await become(await job(), 'failed'); // waits in the outbox
  await new Promise((resolve) => setTimeout(resolve, 5));
  const late = await register();
  await become(await job(), 'cancelled');

  deliver();
  await count(3);

  const types = (await logOf(late.endpoint)).map((d) => d.type);
  expect(types).toEqual(['job.cancelled']);
});

test('without any endpoint nothing is written to the outbox', async () => {
  await deliveries.close();

  await become(await job(), 'failed');

  expect(await redis.xlen(jobs.keys.outbox)).toBe(0);
  deliver();
});

test('the log tells each try: status, reason, when the next one is due', async () => {
  const { endpoint } = await register();
  target.answers.push(500, 302);

  const { id } = (await become(await job(), 'failed'))!;
  await settled(endpoint, 'delivered');

  const [entry] = await logOf(endpoint);
  expect(entry).toMatchObject({ type: 'job.failed', job: id, nextTryAt: null });
  expect(entry!.tries.map((t) => [t.status, t.error])).toEqual([
    [500, 'it answered 500'],
    [302, 'it answered 302: redirects are not followed'],
    [204, null],
  ]);
  expect(await webhooks.get(tenant, endpoint.id)).toMatchObject({ failingSince: null });
});

test('while it fails, the log names the next try and the endpoint says since when', async () => {
  await deliveries.close();
  deliver({ delay: 60_000 });
  const { endpoint } = await register();
  target.answers.push(503);

  await become(await job(), 'failed');
  await expect.poll(async () => (await logOf(endpoint))[0]?.tries.length).toBe(1);

  const [entry] = await logOf(endpoint);
  const due = Date.parse(entry!.nextTryAt!) - Date.now();
  expect(entry!.status).toBe('pending');
  expect(due).toBeGreaterThan(50_000);
  expect(due).toBeLessThan(61_000);
  const { failingSince, disabledReason } = await webhooks.get(tenant, endpoint.id);
  expect([typeof failingSince, disabledReason]).toEqual(['string', null]);
  await webhooks.remove(tenant, endpoint.id);
});

test('it is given up after the last try of the schedule', async () => {
  const { endpoint } = await register();
  target.answers.push(...Array.from({ length: RETRY_AFTER.length + 1 }, () => 500));

  await become(await job(), 'failed');
  await settled(endpoint, 'failed');

  expect(target.received).toHaveLength(RETRY_AFTER.length + 1);
  expect((await logOf(endpoint))[0]).toMatchObject({ nextTryAt: null });
});

test('410 disables: nothing more is sent until it is enabled again', async () => {
  const { endpoint } = await register();
  target.answers.push(410);
  await become(await job(), 'failed');
  await settled(endpoint, 'failed');

  expect(await webhooks.get(tenant, endpoint.id)).toMatchObject({
    disabledReason: 'it answered 410',
  });
  await expect(webhooks.test(tenant, endpoint.id)).rejects.toMatchObject({
    code: 'WEBHOOK_DISABLED',
  });
  await become(await job(), 'failed');
  await webhooks.change(tenant, endpoint.id, { enabled: true });
  await become(await job(), 'cancelled');
  await count(2);

  expect(target.received.map((r) => JSON.parse(r.body).type)).toEqual([
    'job.failed',
    'job.cancelled',
  ]);
});

test('an endpoint without a success for as long as the server’s patience is disabled', async () => {
  await deliveries.close();
  deliver({ delay: 100, patience: 300 });
  const { endpoint } = await register();
  target.answers.push(...Array.from({ length: 20 }, () => 500));

  await become(await job(), 'failed');
  await settled(endpoint, 'failed');

  const { disabledReason, failingSince } = await webhooks.get(tenant, endpoint.id);
  expect(disabledReason).toBe(`nothing has arrived since ${failingSince}`);
  expect(target.received.length).toBeGreaterThan(2);
  expect(target.received.length).toBeLessThan(8);
});

test('a redelivery goes under the same webhook-id and starts anew', async () => {
  const { endpoint } = await register();
  target.answers.push(410);
  await become(await job(), 'failed');
  await settled(endpoint, 'failed');
  await webhooks.change(tenant, endpoint.id, { enabled: true });
  const [entry] = await logOf(endpoint);

  const again = await webhooks.redeliver(tenant, endpoint.id, entry!.id);
  await settled(endpoint, 'delivered');

  expect(again.status).toBe('pending');
  const [first, second] = target.received;
  expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
  expect(second!.body).toBe(first!.body);
  await webhooks.redeliver(tenant, endpoint.id, entry!.id);
  await count(3);
});

test('a test event reaches this endpoint alone, whatever it asked for', async () => {
  const { endpoint, secret } = await register(['job.started']);
  await register(['job.started']);

  const { id } = await webhooks.test(tenant, endpoint.id);
  await settled(endpoint, 'delivered');

  const [{ headers, body }] = target.received as [Receiver['received'][number]];
  expect(target.received).toHaveLength(1);
  expect(headers['webhook-id']).toBe(id);
  expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toMatchObject({
    type: 'webhook.test',
    data: { webhook: endpoint.id },
  });
});

test('during a rotation both secrets sign; the one before the previous does not', async () => {
  const { endpoint, secret } = await register();
  const second = await webhooks.rotate(tenant, endpoint.id);
  const third = await webhooks.rotate(tenant, endpoint.id);

  await webhooks.test(tenant, endpoint.id);
  await count(1);

  const [{ headers, body }] = target.received as [Receiver['received'][number]];
  const verify = (key: string) => () =>
    new Webhook(key).verify(body, headers as Record<string, string>);
  expect(String(headers['webhook-signature']).split(' ')).toHaveLength(2);
  expect(verify(third.secret)).not.toThrow();
  expect(verify(second.secret)).not.toThrow();
  expect(verify(secret)).toThrow();
  expect(Date.parse(third.previousValidUntil!) - Date.now()).toBeGreaterThan(86_000_000);
});

test('the tenant’s secret rotates the same way, for the webhooks of job specs', async () => {
  const first = await webhooks.secretOf(tenant);
  const second = await webhooks.rotateSecretOf(tenant);
  const created = await jobs.create({
    id: newJobId(),
    tenant,
    spec: { stages: [{ stage: 'simplify' }] },
    webhook: { url: target.url, events: ['job.failed'] },
  });

  await become(created, 'failed');
  await count(1);

  const [{ headers, body }] = target.received as [Receiver['received'][number]];
  for (const key of [first, second.secret])
    expect(() => new Webhook(key).verify(body, headers as Record<string, string>)).not.toThrow();
  expect(await webhooks.secretOf(tenant)).toBe(second.secret);
});

test('secrets lie sealed in Redis', async () => {
  const { endpoint, secret } = await register();
  const kept = await redis.hget(jobs.keys.endpoints(tenant), endpoint.id);

  expect(kept).toContain(target.url);
  expect(kept).not.toContain(secret.slice('whsec_'.length));
});

test('a message that the outbox passes on twice is sent once', async () => {
  await register();
  await deliveries.close();
  await become(await job(), 'failed');
  const [[, fields]] = (await redis.xrange(jobs.keys.outbox, '-', '+')) as [[string, string[]]];
  await redis.xadd(jobs.keys.outbox, '*', ...fields);

  deliver();
  await count(1);
  await new Promise((resolve) => setTimeout(resolve, 300));

  expect(target.received).toHaveLength(1);
});

test('pages of the log, newest first', async () => {
  const { endpoint } = await register();
  for (let i = 0; i < 5; i++) await webhooks.test(tenant, endpoint.id);

  const first = await webhooks.deliveries(tenant, endpoint.id, 2);
  const second = await webhooks.deliveries(tenant, endpoint.id, 2, first.nextCursor!);
  const last = await webhooks.deliveries(tenant, endpoint.id, 2, second.nextCursor!);

  const all = [first, second, last].flatMap((page) => page.items);
  expect(last.nextCursor).toBeNull();
  expect(new Set(all.map((d) => d.id)).size).toBe(5);
  expect(all.map((d) => d.createdAt)).toEqual(
    all
      .map((d) => d.createdAt)
      .toSorted()
      .reverse(),
  );
});

test('33 endpoints are one too many', async () => {
  for (let i = 0; i < 32; i++) await register();
  await expect(register()).rejects.toMatchObject({ code: 'TOO_MANY_WEBHOOKS' });
});
