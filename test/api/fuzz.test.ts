/** @file Every route of the OpenAPI document with requests that nobody meant: never a 5xx, never an answer that is not documented. */

import { request } from 'node:http';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { BYTES, modelFile, openSite, type Site } from './site.ts';

let site: Site;
let model: string;

beforeAll(async () => {
  site = await openSite();
  model = (await site.http.post('/v1/models').type(BYTES).send(modelFile())).body.id;
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

/** Park and Miller's generator: the same requests in every run. */
function generator(seed: number) {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const random = generator(20_261_124);
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

const TEXTS = [
  ...['', ' ', '0', '-1', '1e999', 'NaN', 'null', 'true', '[]', '{}', '"', "'", '%', '%00', '%ff'],
  ...[
    '../../etc/passwd',
    '..%2f..%2f',
    'a/b',
    '\\\\',
    '__proto__',
    'constructor',
    '\u0000',
    '\ud800',
  ],
  ...['💥', 'é'.repeat(300), 'x'.repeat(5000), `sha256:${'0'.repeat(64)}`, `job_${'0'.repeat(32)}`],
  ...[
    `wh_${'0'.repeat(32)}`,
    'msg_0',
    '$where',
    "1' OR '1'='1",
    '<script>',
    '2026-13-45T00:00:00Z',
  ],
  ...['*', '?', '[a', 'KEYS', 'a:b:c', '1767225600000-msg_0', '99999999999999999999-0'],
];

const VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, [], {}, [[]], [null], { a: { b: [1] } }],
  ...[
    Array.from({ length: 2000 }, () => 0),
    JSON.parse('{"__proto__": {"x": 1}, "constructor": 1}'),
  ],
  nested(200),
];

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = { a: [value] };
  return value;
}

const anything = (): unknown => (random() < 0.5 ? pick(VALUES) : pick(TEXTS));

/** Valid bodies: each request spoils one of them somewhere. */
const BODIES: Readonly<Record<string, () => unknown>> = {
  submitJob: () => ({
    model,
    stages: [{ stage: 'simplify' }, { stage: 'quantize', images: 4 }],
    accept: { maxBytes: 1000 },
    labels: { a: 'b' },
    priority: 'low',
    expiresAt: '2099-01-01T00:00:00Z',
    webhook: { url: 'http://127.0.0.1:9/', events: ['job.failed'] },
    preprocess: { scale: 0.5 },
    seed: 1,
  }),
  createWebhook: () => ({ url: 'http://127.0.0.1:9/', events: ['job.failed'] }),
  changeWebhook: () => ({ enabled: true, events: ['job.failed'] }),
  createKey: () => ({ name: 'x', scopes: ['read'], days: 3 }),
  rotateKey: () => ({ overlapHours: 1 }),
  createImport: () => ({ kind: 'model', url: 'http://127.0.0.1:9/x', name: 'x', sha256: model }),
  createDirectUpload: () => ({ kind: 'dataset', bytes: 10, name: 'x', sha256: model }),
};

/** The same document with one thing replaced, added or left out, anywhere. */
function spoiled(value: unknown): unknown {
  if (random() < 0.15 || typeof value !== 'object' || value === null) return anything();
  if (Array.isArray(value)) {
    if (value.length === 0 || random() < 0.2) return [...value, anything()];
    const index = Math.floor(random() * value.length);
    return value.map((item, i) => (i === index ? spoiled(item) : item));
  }
  const entries = Object.entries(value);
  const [name] = pick(entries.length > 0 ? entries : [['a', 1]]);
  if (random() < 0.15) return Object.fromEntries(entries.filter(([n]) => n !== name));
  if (random() < 0.2) return { ...value, [pick(TEXTS)]: anything() };
  return Object.fromEntries(entries.map(([n, v]) => [n, n === name ? spoiled(v) : v]));
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Without a client that would mend the request. */
function send({ method, path, headers = {}, body }: Sent): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ port: site.port, host: '127.0.0.1', method, path, headers });
    call.on('error', reject).on('response', (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode!));
    });
    call.end(body);
  });
}

const encoded = (text: string): string => {
  try {
    return encodeURIComponent(text);
  } catch {
    return '%ED%A0%80'; // half of a surrogate pair
  }
};

const HEADERS = ['if-none-match', 'range', 'prefer', 'last-event-id', 'idempotency-key', 'accept'];
/** What some header of some call may hold: of resumable uploads, of digests, of waiting. */
const HEADER_VALUES = [
  ...['1.0.0', '0', '10', '1', 'kind bW9kZWw=', 'kind bW9kZWw=,filename eA==', 'wait=1'],
  ...[`sha256 ${'A'.repeat(43)}=`, `sha-256=:${'A'.repeat(43)}=:`],
];
const headerText = () => encoded(pick(TEXTS)).slice(0, 500);

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}

/** Of one operation: path, query, headers and body, each spoiled some of the time. */
function spoiledRequest(path: string, method: string, operation: Operation): Sent {
  const url = path.replaceAll(/\{\w+\}/g, () =>
    random() < 0.2 ? encoded(model) : encoded(pick(TEXTS)).slice(0, 1000),
  );
  const names = (operation.parameters ?? []).filter((p) => p.in === 'query').map((p) => p.name);
  const query = [...names, pick(TEXTS)]
    .filter(() => random() < 0.4)
    .map((name) => `${encoded(name)}=${encoded(pick(TEXTS)).slice(0, 300)}`);
  const headers: Record<string, string> = {};
  for (const name of HEADERS) if (random() < 0.3) headers[name] = headerText();
  const own = (operation.parameters ?? []).filter((p) => p.in === 'header');
  for (const { name } of own)
    if (random() < 0.7) headers[name] = random() < 0.7 ? pick(HEADER_VALUES) : headerText();
  const make = BODIES[operation.operationId];
  const body = make ? JSON.stringify(spoiled(make())) : random() < 0.3 ? pick(TEXTS) : undefined;
  if (body !== undefined) {
    const other = [
      'text/plain',
      'application/xml',
      'multipart/form-data',
      'multipart/form-data; boundary=x',
      BYTES,
      'application/offset+octet-stream',
    ];
    headers['content-type'] = make && random() < 0.9 ? 'application/json' : pick(other);
  }
  const target = `${url}${query.length > 0 ? `?${query.join('&')}` : ''}`;
  return { method, path: target, headers, ...(body !== undefined && { body }) };
}

const ROUNDS = 25;

test(`${ROUNDS} spoiled requests per operation`, async () => {
  const document = site.app.swagger() as unknown as {
    paths: Record<string, Record<string, Operation>>;
  };
  const faults: string[] = [];
  const seen = new Map<number, number>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (operation.operationId === 'followJob') continue; // below: it may go on for ever
      const sent = Array.from({ length: ROUNDS }, () =>
        spoiledRequest(path, method.toUpperCase(), operation),
      );
      const answers = await Promise.all(
        sent.map((one) => send(one).catch((error: Error) => error.message)),
      );
      answers.forEach((status, i) => {
        if (typeof status !== 'number' || status >= 500)
          faults.push(`${status} ${JSON.stringify(sent[i]).slice(0, 400)}`);
        else seen.set(status, (seen.get(status) ?? 0) + 1);
      });
    }
  }

  expect(faults).toEqual([]);
  // The requests reach every kind of answer.
  expect(seen.get(400)).toBeGreaterThan(100);
  expect(seen.get(404)).toBeGreaterThan(100);
  expect(seen.get(422)).toBeGreaterThan(3);
  expect(seen.get(200)).toBeGreaterThan(20);
  expect((await site.http.get('/readyz')).status).toBe(200);
});

test('spoiled bodies of the calls that take one: 400 or 422 with pointers, or accepted', async () => {
  const paths: Record<string, string> = {
    submitJob: '/v1/jobs?dryRun=true',
    createWebhook: '/v1/webhooks',
    createKey: '/v1/keys',
    createImport: '/v1/imports',
    createDirectUpload: '/v1/uploads/direct',
  };
  for (const [operation, path] of Object.entries(paths)) {
    for (let i = 0; i < 60; i++) {
      const body = JSON.stringify(spoiled(BODIES[operation]!()));
      const answer = await site.http.post(path).type('json').send(body);
      expect([body.slice(0, 200), answer.status < 500]).toEqual([body.slice(0, 200), true]);
      if (answer.body.code === 'SPEC_INVALID' || answer.body.code === 'REQUEST_INVALID')
        expect(answer.body.errors.length).toBeGreaterThan(0);
    }
  }
});

test('the stream of a job that is none, asked for in every way, ends at once', async () => {
  for (const text of TEXTS) {
    const path = `/v1/jobs/${encoded(text).slice(0, 150)}/events`;
    expect([path, await send({ method: 'GET', path })]).toEqual([path, expect.any(Number)]);
    expect(await send({ method: 'GET', path })).toBeLessThan(500);
  }
});
