import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Redis } from 'ioredis';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { newJobId } from '../../../src/contract/ids.ts';
import type { JobRecord, WebhookEvent } from '../../../src/records/job-record.ts';
import { Jobs } from '../../../src/records/jobs.ts';
import { connectRedis } from '../../../src/records/redis.ts';
import { Seal, sealFor } from '../../../src/secrets/seal.ts';
import { RETRY_AFTER, retryDelay } from '../../../src/webhooks/schedule.ts';
import { Webhooks } from '../../../src/webhooks/webhooks.ts';
import { type TestRedis, testRedis } from '../../helpers/redis.ts';

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const TERMINAL: readonly WebhookEvent[] = ['job.succeeded', 'job.failed', 'job.cancelled'];

let server: TestRedis;
let redis: Redis;
let jobs: Jobs;
let webhooks: Webhooks;
let deliveries: { close(): Promise<void> };
let receiver: Server;
let base: string;
let received: Received[];
/** Status codes of the next answers; then 204. */
let answers: number[];

beforeAll(async () => {
  server = await testRedis();
  redis = connectRedis(server.url, 'steady');
  jobs = new Jobs(redis, server.prefix);
  receiver = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body });
      response.writeHead(answers.shift() ?? 204, { location: `${base}/elsewhere` }).end('thanks');
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
afterAll(async () => {
  receiver.close();
  redis.disconnect();
  await server.stop();
});

beforeEach(() => {
  received = [];
  answers = [];
  deliver(true);
});
afterEach(() => deliveries.close());

function deliver(allowPrivate: boolean): void {
  webhooks = new Webhooks({ jobs, redis, seal: new Seal('for tests'), allowPrivate });
  deliveries = webhooks.deliver({
    jobs,
    prefix: server.prefix,
    redis,
    waiting: connectRedis(server.url, 'steady'),
    delay: () => 100,
    onError: (error) => console.error(error.message),
  });
}

async function job(events = TERMINAL, own?: string): Promise<JobRecord> {
  return jobs.create(
    {
      id: newJobId(),
      tenant: 'hooks',
      spec: { stages: [{ stage: 'simplify' }], labels: { run: '7' } },
      webhook: { url: `${base}/hook`, events },
    },
    own === undefined ? '' : webhooks.seal(own),
  );
}

const succeed = ({ id }: JobRecord) =>
  jobs.change(id, () => ({ set: { status: 'succeeded', outcome: 'rejected' } }));

const count = (n: number) => expect.poll(() => received.length, { timeout: 10_000 }).toBe(n);

test('signed with the tenant’s secret, so that the standard library verifies it', async () => {
  const { id } = await job().then(async (j) => (await succeed(j))!);

  await count(1);

  const [{ headers, body, path }] = received as [Received];
  const verified = new Webhook(await webhooks.secretOf('hooks')).verify(
    body,
    headers as Record<string, string>,
  );
  expect(path).toBe('/hook');
  expect(headers['content-type']).toBe('application/json');
  expect(verified).toMatchObject({
    type: 'job.succeeded',
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    data: { id, status: 'succeeded', outcome: 'rejected', labels: { run: '7' } },
  });
  expect((verified as { data: object }).data).not.toHaveProperty('links');
});

test('signed with the job’s own secret, which lies sealed in Redis and nowhere in the queue', async () => {
  const own = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  await succeed(await job(TERMINAL, own));

  await count(1);

  const [{ headers, body }] = received as [Received];
  expect(() => new Webhook(own).verify(body, headers as Record<string, string>)).not.toThrow();
  expect(await everythingInRedis()).not.toContain(own.slice('whsec_'.length));
});

async function everythingInRedis(): Promise<string> {
  const texts: unknown[] = [];
  for (const key of await redis.keys(`${server.prefix}:*`)) {
    const type = await redis.type(key);
    if (type === 'hash') texts.push(await redis.hgetall(key));
    if (type === 'string') texts.push(await redis.get(key));
    if (type === 'stream') texts.push(await redis.xrange(key, '-', '+'));
  }
  return JSON.stringify(texts);
}

test('tried again after 500, under the same id and with a new signature', async () => {
  answers = [500, 503];

  await succeed(await job());
  await count(3);

  const ids = new Set(received.map((r) => r.headers['webhook-id']));
  expect([...ids]).toEqual([expect.stringMatching(/^msg_/)]);
  const secret = new Webhook(await webhooks.secretOf('hooks'));
  for (const { body, headers } of received)
    expect(() => secret.verify(body, headers as Record<string, string>)).not.toThrow();
});

test('a redirect is a failure and not followed', async () => {
  answers = [302, 307];

  await succeed(await job());
  await count(3);

  expect(received.map((r) => r.path)).toEqual(['/hook', '/hook', '/hook']);
});

test('410 ends it', async () => {
  answers = [410];

  await succeed(await job());
  await count(1);
  await new Promise((resolve) => setTimeout(resolve, 500));

  expect(received).toHaveLength(1);
});

test('only the events asked for are told, each once, in order', async () => {
  const { id } = await job(['job.started', 'job.stage.finished', 'job.failed']);
  const stage = {
    type: 'stage',
    index: 0,
    stage: 'simplify',
    status: 'finished',
    resumed: false,
    input: '',
    output: '',
    report: {},
  } as const;

  await jobs.change(id, () => ({ set: { status: 'running' } }));
  await jobs.change(id, () => ({ set: { progress: 0.4 } }));
  await jobs.change(id, () => ({ set: {}, events: [stage] }));
  await jobs.change(id, () => ({ set: { status: 'succeeded' } }));
  await count(2);

  const types = received.map((r) => JSON.parse(r.body).type as string);
  expect(types.toSorted()).toEqual(['job.stage.finished', 'job.started']);
});

test('what happens while no API runs is delivered when one starts', async () => {
  await deliveries.close();
  await succeed(await job());
  expect(received).toEqual([]);

  deliver(true);

  await count(1);
});

test('an address that is private now is not called, whatever was said at registration', async () => {
  await deliveries.close();
  deliver(false);

  const told = await succeed(await job());
  await new Promise((resolve) => setTimeout(resolve, 800));

  expect(received).toEqual([]);
  await jobs.remove(told!); // ends its retries
});

test('a body stays below 20 kB, however many labels there are', async () => {
  const labels = Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [`label${i}`, 'x'.repeat(200)]),
  );
  const created = await jobs.create({
    id: newJobId(),
    tenant: 'hooks',
    spec: { stages: [{ stage: 'simplify' }], labels },
    webhook: { url: `${base}/hook`, events: TERMINAL },
  });

  await succeed(created);
  await count(1);

  expect(Buffer.byteLength(received[0]!.body)).toBeLessThan(20_000);
  expect(JSON.parse(received[0]!.body).data).toMatchObject({ id: created.id, status: 'succeeded' });
});

test('the tenant’s secret is made once and differs between tenants', async () => {
  const [a, again, b] = await Promise.all(['a', 'a', 'b'].map((t) => webhooks.secretOf(t)));

  expect(a).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(again).toBe(a);
  expect(b).not.toBe(a);
});

test('the key in the data folder is made once, for its owner alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lathe-seal-'));

  const settings = { secretKey: '', previousSecretKeys: [], dataDir: folder };
  const seals = await Promise.all([sealFor(settings), sealFor(settings), sealFor(settings)]);

  const file = join(folder, 'secret.key');
  expect(seals[2]!.open(seals[0]!.seal('text'))).toBe('text');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).toHaveLength(44);
  expect(() => new Seal('another').open(seals[0]!.seal('text'))).toThrow();
  rmSync(folder, { recursive: true });
});

test('retries: 5 s, 5 min, … 24 h, up to a fifth later', () => {
  expect(RETRY_AFTER.map((_, i) => retryDelay(i + 1, 0))).toEqual(RETRY_AFTER);
  expect(retryDelay(1, 1)).toBe(6000);
  expect(retryDelay(99, 0)).toBe(24 * 3_600_000);
});
