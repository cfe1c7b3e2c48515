/** @file One trace from the request that made a job to the webhook that tells of its end. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startWorker } from '../../workers/main.ts';
import { workerConfig } from '../../workers/worker-config.ts';
import { receiver } from '../helpers/receiver.ts';
import { BYTES, modelFile, openSite, type Site } from './site.ts';

interface SpanJson {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly service: string;
}

let site: Site;
const spans: SpanJson[] = [];
const collector = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  request.on('end', () => {
    spans.push(...spansOf(JSON.parse(text)));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
});
let url = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`;
  site = await openSite({ LATHE_TRACES_URL: url });
});
afterAll(() => collector.close());

// biome-ignore lint/suspicious/noExplicitAny: OTLP, as it is sent
function spansOf(message: any): SpanJson[] {
  // biome-ignore lint/suspicious/noExplicitAny: OTLP, as it is sent
  return message.resourceSpans.flatMap(({ resource, scopeSpans }: any) => {
    const { value } = resource.attributes.find((a: { key: string }) => a.key === 'service.name');
    const service = value.stringValue;
    return scopeSpans.flatMap((s: { spans: object[] }) =>
      s.spans.map((span) => ({ ...span, service }) as SpanJson),
    );
  });
}

test('request, queue, attempt, stage and webhook are one trace, and the receiver is told of it', {
  timeout: 150_000,
}, async () => {
  const hooks = await receiver();
  const model = (await site.http.post('/v1/models').type(BYTES).send(modelFile())).body.id;
  const env = {
    ...{ REDIS_URL: site.redis.url, LATHE_REDIS_PREFIX: site.redis.prefix },
    ...{ LATHE_DATA_DIR: site.folder, LATHE_TRACES_URL: url },
  };
  const worker = await startWorker(workerConfig(env), pino({ level: 'silent' }));
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const made = await site.http
    .post('/v1/jobs')
    .set('traceparent', `00-${traceId}-b7ad6b7169203331-01`)
    .send({ model, stages: [{ stage: 'simplify' }], webhook: { url: hooks.url } });
  await site.http.get(`/v1/jobs/${made.body.id}?wait=60`);
  await expect.poll(() => hooks.received.length, { timeout: 60_000 }).toBe(1);
  await worker.close();
  await site.close();

  const mine = spans.filter((span) => span.traceId === traceId);
  const by = Object.fromEntries(mine.map((span) => [span.name, span]));
  expect(mine.map(({ name, service }) => `${service}: ${name}`).sort()).toEqual([
    'lathe-api: POST /v1/jobs',
    'lathe-api: webhook',
    'lathe-worker: attempt',
    'lathe-worker: queue',
    'lathe-worker: stage simplify',
  ]);
  const request = by['POST /v1/jobs']!;
  expect(request.parentSpanId).toBe('b7ad6b7169203331');
  for (const name of ['queue', 'attempt', 'webhook'])
    expect([name, by[name]!.parentSpanId]).toEqual([name, request.spanId]);
  expect(by['stage simplify']!.parentSpanId).toBe(by['attempt']!.spanId);
  expect(hooks.received[0]!.headers['traceparent']).toBe(
    `00-${traceId}-${by['webhook']!.spanId}-01`,
  );
  await hooks.close();
});

test('without a collector nothing is loaded, and the context is carried on all the same', async () => {
  const { NO_TRACES, openTraces, traceparentOf } = await import('../../src/traces/traces.ts');
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  expect(await openTraces('', 'lathe-api')).toBe(NO_TRACES);
  expect(NO_TRACES.span('x', parent).traceparent).toBe(parent);
  expect(traceparentOf(parent)).toBe(parent);
  for (const wrong of [undefined, 'x', parent.replace('00-', 'ff-'), `${parent}-00`])
    expect(traceparentOf(wrong)).toBeUndefined();
});
