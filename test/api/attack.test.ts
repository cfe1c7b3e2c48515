/** @file Raw HTTP by people who mean harm: smuggling, slow senders, odd paths, bombs. The server goes on for everybody else. */

import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { tenantFinder } from '../../src/plugins/auth.ts';
import { openSite, type Site } from './site.ts';

let site: Site;
const KEY = 'key-of-ada-1';
const sockets: Socket[] = [];

beforeAll(async () => {
  site = await openSite({ LATHE_API_KEYS: `ada:${KEY}` });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

async function open(): Promise<Socket> {
  const socket = connect(site.port, '127.0.0.1').on('error', () => {});
  sockets.push(socket);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** Everything that comes back until the server closes or goes quiet. */
async function raw(bytes: string): Promise<string> {
  const socket = await open();
  let text = '';
  const over = new Promise<void>((resolve) => {
    let quiet = setTimeout(resolve, 3000);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      clearTimeout(quiet);
      quiet = setTimeout(resolve, 300);
    });
    socket.on('close', () => resolve());
  });
  socket.write(Buffer.from(bytes, 'latin1'));
  await over;
  socket.destroy();
  return text;
}

const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));

const auth = `Host: localhost\r\nAuthorization: Bearer ${KEY}`;

test.each([
  [
    'two lengths',
    `POST /v1/jobs HTTP/1.1\r\n${auth}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}`,
  ],
  [
    'a length and chunks',
    `POST /v1/jobs HTTP/1.1\r\n${auth}\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/keys HTTP/1.1\r\n${auth}\r\n\r\n`,
  ],
  [
    'a coding that is none',
    `POST /v1/jobs HTTP/1.1\r\n${auth}\r\nTransfer-Encoding: xchunked\r\n\r\n{}`,
  ],
  ['a length that is none', `POST /v1/jobs HTTP/1.1\r\n${auth}\r\nContent-Length: 0x10\r\n\r\n{}`],
  [
    'a chunk size that is none',
    `POST /v1/jobs HTTP/1.1\r\n${auth}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
  ],
  ['a zero byte in a header', `GET /v1/jobs HTTP/1.1\r\n${auth}\r\nX-A: a\0b\r\n\r\n`],
  ['a space before the colon', `GET /v1/jobs HTTP/1.1\r\n${auth}\r\nX-A : b\r\n\r\n`],
  ['a bare line feed', `GET /v1/jobs HTTP/1.1\n${auth.replace('\r\n', '\n')}\n\n\0`],
  ['no host', `GET /v1/jobs HTTP/1.1\r\nAuthorization: Bearer ${KEY}\r\n\r\n`],
  ['a header of 64 kB', `GET /v1/jobs HTTP/1.1\r\n${auth}\r\nX-A: ${'a'.repeat(65_536)}\r\n\r\n`],
  ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
  ['Redis', '*1\r\n$8\r\nFLUSHALL\r\n'],
])('%s: refused once, and the connection is closed', async (_, bytes) => {
  const answer = await raw(bytes);
  const told = statuses(answer);

  expect([told.length, answer.slice(0, 300)]).toEqual([1, expect.any(String)]);
  expect(told[0]).toBeGreaterThanOrEqual(400);
  expect(told[0]).toBeLessThan(500);
});

test.each([
  '/v1/jobs',
  '//v1/jobs',
  '/v1//jobs',
  '/v1/../v1/jobs',
  '/livez/../v1/jobs',
  '/livez/..%2fv1/jobs',
  '/livez%2f..%2fv1%2fjobs',
  '/%76%31/jobs',
  '/v1/jobs/',
  '/V1/JOBS',
  '/v1/jobs;livez',
  '/v1/jobs?/livez',
  '/v1/jobs#/livez',
  '/v1/jobs%00',
  '/v1/jobs%0d%0aX-A:%20b',
  'http://localhost/v1/jobs',
  'http://evil.example/livez/../v1/jobs',
  '/docs/../v1/keys',
  '/docs/reference/../../v1/keys',
  '/docs/reference/js/..%2f..%2f..%2f..%2fpackage.json',
  '/docs/errors/../../package.json',
  '*',
  '/.env',
  '/%c0%ae%c0%ae/etc/passwd',
])('without a key %s gives nothing', async (path) => {
  const told = statuses(
    await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
  );

  expect([path, told[0]]).toEqual([path, expect.any(Number)]);
  expect([400, 401, 404, 405]).toContain(told[0]);
});

test.each([
  ['an empty key', 'Authorization: Bearer '],
  ['a key and a comma', `Authorization: Bearer ${KEY},${KEY}`],
  [
    'two headers, the second right',
    `Authorization: Bearer wrong-key\r\nAuthorization: Bearer ${KEY}`,
  ],
  ['another scheme', `Authorization: Token ${KEY}`],
  ['the key in the path', `X-A: ${KEY}`],
  ['a proxy’s word', 'X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Tenant: ada'],
  ['a cookie', `Cookie: key=${KEY}; x-api-key=${KEY}`],
])('%s does not open the server', async (_, header) => {
  const path = `/v1/jobs?key=${KEY}&x-api-key=${KEY}`;
  const told = statuses(
    await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header}\r\n\r\n`),
  );

  expect(told).toEqual([401]);
});

test('another method in a header changes nothing', async () => {
  for (const header of ['X-HTTP-Method-Override', 'X-Method-Override', 'X-HTTP-Method']) {
    const answer = await site.http
      .get('/v1/jobs')
      .set({ authorization: `Bearer ${KEY}`, [header]: 'DELETE' });
    expect([header, answer.status]).toEqual([header, 200]);
  }
});

test('two hundred slow senders keep nobody else waiting', async () => {
  const senders = await Promise.all(Array.from({ length: 200 }, open));
  senders.forEach((socket, i) => {
    if (i % 2 === 0) socket.write('GET /v1/jobs HTTP/1.1\r\nHost: loc');
    else
      socket.write(
        `POST /v1/jobs HTTP/1.1\r\n${auth}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
      );
  });
  const drip = setInterval(() => {
    for (const socket of senders) socket.write('a');
  }, 500);

  const times: number[] = [];
  for (let i = 0; i < 10; i++) {
    const begun = performance.now();
    const answer = await site.http.get('/v1/jobs').set('authorization', `Bearer ${KEY}`);
    times.push(performance.now() - begun);
    expect(answer.status).toBe(200);
  }
  clearInterval(drip);

  expect(times.toSorted((a, b) => a - b)[5]).toBeLessThan(1000);
  // Who has not sent its headers by then is cut off.
  expect(site.app.server.headersTimeout).toBeGreaterThan(0);
  expect(site.app.server.headersTimeout).toBeLessThanOrEqual(60_000);
});

const post = (body: string) =>
  site.http
    .post('/v1/jobs')
    .set({ authorization: `Bearer ${KEY}`, 'content-type': 'application/json' })
    .send(body);

test('a spec of a multipart call that is nested too deep is refused', async () => {
  const answer = await site.http
    .post('/v1/jobs')
    .set('authorization', `Bearer ${KEY}`)
    .field('spec', `{"stages": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`, {
      contentType: 'application/json',
    });

  expect([answer.status, answer.body.code]).toEqual([400, 'JSON_MALFORMED']);
});

test.each([
  ['lists in lists, half a million deep', '['.repeat(500_000) + ']'.repeat(500_000)],
  ['objects in objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
  [
    'a hundred thousand unknown fields',
    `{${Array.from({ length: 60_000 }, (_, i) => `"f${i}":1`).join(',')}}`,
  ],
  [
    'ten thousand stages',
    JSON.stringify({ stages: Array.from({ length: 10_000 }, () => ({ stage: 'x' })) }),
  ],
  ['a poisoned prototype', '{"__proto__": {"admin": true}, "stages": [{"stage": "simplify"}]}'],
  ['a poisoned constructor', '{"constructor": {"prototype": {"admin": true}}}'],
  ['a number of a hundred thousand digits', `{"seed": ${'9'.repeat(100_000)}}`],
  [
    'a pattern that backtracks',
    JSON.stringify({ expiresAt: `2026-01-01T00:00:00.${'0'.repeat(50_000)}!`, stages: [] }),
  ],
])('%s: refused within seconds', async (_, body) => {
  const begun = performance.now();
  const answer = await post(body);

  expect([400, 413, 422]).toContain(answer.status);
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
});

test('a body that is packed is not unpacked', async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000, '[')).toString('latin1');
  const before = process.memoryUsage().rss;
  const answer = await raw(
    `POST /v1/jobs HTTP/1.1\r\n${auth}\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n${bomb}`,
  );

  expect(statuses(answer)).toEqual([400]);
  expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000);
});

test('a body larger than a mebibyte is refused', async () => {
  expect((await post(`{"labels": {"a": "${'x'.repeat(2 ** 20)}"}}`)).status).toBe(413);
});

test('the time of a comparison does not tell how much of a key was right', () => {
  const key = `lathe-${'k'.repeat(60)}`;
  const find = tenantFinder([{ name: 'ada', key }]);
  const guesses = [`${key.slice(0, -1)}x`, `x${key.slice(1)}`];
  const samples: number[][] = [[], []];
  for (let round = 0; round < 4000; round++) {
    const which = round % 2;
    const begun = process.hrtime.bigint();
    for (let i = 0; i < 20; i++) find(guesses[which]!);
    samples[which]!.push(Number(process.hrtime.bigint() - begun));
  }
  // Lower quartiles: what a busy machine adds falls on the slow side.
  const [nearly, not] = samples.map((s) => s.toSorted((a, b) => a - b)[s.length >> 2]!);

  expect(nearly! / not!).toBeGreaterThan(0.8);
  expect(nearly! / not!).toBeLessThan(1.25);
  expect(find(key)).toBe('ada');
});
