/** @file What happens at the connection: names that change their mind, and every spelling of a local server. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { checkTarget, guardedLookup, type Resolver } from '../../../src/egress/addresses.ts';
import { Sender } from '../../../src/webhooks/send.ts';

const PUBLIC = { address: '93.184.216.34', family: 4 };
const LOCAL = { address: '127.0.0.1', family: 4 };
const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

let canary: Server;
let port: number;
let hits: number;

beforeAll(async () => {
  canary = createServer((_request, response) => {
    hits += 1;
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => canary.listen(0, '::', resolve));
  port = (canary.address() as AddressInfo).port;
});
afterAll(() => {
  canary.closeAllConnections();
  canary.close();
});
beforeEach(() => {
  hits = 0;
});

/** Answers in turn, the last one for ever. */
function resolver(...answers: (typeof PUBLIC)[][]): Resolver {
  return (_host, _options, answer) => {
    answer(null, answers.length > 1 ? answers.shift()! : answers[0]!);
  };
}

async function send(url: string, allowPrivate: boolean, found?: Resolver) {
  const sender = new Sender(allowPrivate, guardedLookup(allowPrivate, found));
  const result = await sender.send({ id: 'msg_1', url, secrets: [SECRET], body: '{}' });
  await sender.close();
  return result;
}

test('a name that led to a public address when it was checked and leads here now', async () => {
  const rebinding = resolver([PUBLIC], [LOCAL]);
  const checked = await new Promise((resolve) =>
    guardedLookup(false, rebinding)('rebind.example', { all: true }, (error) => resolve(error)),
  );

  const { ok, status, why } = await send(`http://rebind.example:${port}/`, false, rebinding);

  expect(checked).toBeNull();
  expect([ok, status, hits]).toEqual([false, null, 0]);
  expect(why).toContain('127.0.0.1 is not a public address');
});

test('a name that leads to a public and to a local address is refused altogether', async () => {
  const { why } = await send(`http://mixed.example:${port}/`, false, resolver([PUBLIC, LOCAL]));

  expect([why?.includes('not a public address'), hits]).toEqual([true, 0]);
});

test('the connection goes to the very address that was looked at', async () => {
  const found = resolver([LOCAL], [{ address: '192.0.2.1', family: 4 }]);

  expect(await send(`http://here.example:${port}/`, true, found)).toMatchObject({ ok: true });
  expect(hits).toBe(1);
});

const SPELLINGS = [
  ...['127.0.0.1', '127.1', '0x7f000001', '2130706433', '0177.0.0.1', '0', 'localhost'],
  ...['LOCALHOST', 'localhost.', '127.0.0.1.', '①②⑦.⓪.⓪.①', '[::1]', '[::]', '[::ffff:127.0.0.1]'],
  ...['[::127.0.0.1]', '[0:0:0:0:0:ffff:7f00:1]', 'app.localhost'],
];

test.each(SPELLINGS)('a server of this machine is not reached as %s', async (host) => {
  const url = `http://${host}:${port}/`;
  const { ok } = await send(url, false);

  expect([ok, hits]).toEqual([false, 0]);
});

test('with private targets allowed it is reached: the canary sings', async () => {
  for (const host of ['127.0.0.1', '0x7f000001', '[::1]', 'localhost'])
    expect([host, (await send(`http://${host}:${port}/`, true)).ok]).toEqual([host, true]);
  expect(hits).toBe(4);
});

test.each(['localhost', 'LOCALHOST', 'localhost.', 'app.localhost', 'App.LocalHost.'])(
  'the name %s is refused at registration, whatever a resolver says, and leads nowhere',
  async (host) => {
    const refused = await checkTarget(`http://${host}:${port}/`, false).then(
      () => false,
      (error) => error.code === 'WEBHOOK_TARGET_REFUSED',
    );
    const { ok } = await send(`http://${host}:${port}/`, false);

    expect([ok, hits]).toEqual([false, 0]);
    expect(refused).toBe(true);
  },
);

test('a redirect to a server of this machine is not followed', async () => {
  let asked = 0;
  const outside = createServer((_request, response) => {
    asked += 1;
    response.writeHead(307, { location: `http://127.0.0.1:${port}/` }).end();
  });
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
  const { port: other } = outside.address() as AddressInfo;

  const { ok, status } = await send(`http://127.0.0.1:${other}/`, true);
  outside.closeAllConnections();
  outside.close();

  expect([ok, status, asked, hits]).toEqual([false, 307, 1, 0]);
});
