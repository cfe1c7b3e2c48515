import { expect, test } from 'vitest';

import { checkTarget, checkUrl, guardedLookup } from '../../../src/webhooks/addresses.ts';

const REFUSED = {
  loopback: 'http://127.0.0.1/hook',
  'all of 127/8': 'http://127.8.9.10/',
  'in one hexadecimal number': 'http://0x7f000001/',
  'in one decimal number': 'http://2130706433/',
  'in octal': 'http://0177.0.0.1/',
  'with parts left out': 'http://127.1/',
  'full-width digits': 'http://１２７.0.0.1/',
  'this host': 'http://0.0.0.0/',
  'IPv6 loopback': 'http://[::1]/',
  'IPv6 unspecified': 'http://[::]/',
  'v4-mapped loopback': 'http://[::ffff:127.0.0.1]/',
  'v4-mapped in hexadecimal': 'http://[::ffff:7f00:1]/',
  'v4-compatible': 'http://[::127.0.0.1]/',
  'NAT64 of loopback': 'http://[64:ff9b::7f00:1]/',
  'NAT64 of a private address': 'http://[64:ff9b::10.0.0.1]/',
  'local NAT64': 'http://[64:ff9b:1::a00:1]/',
  '6to4 of a private address': 'http://[2002:a00:1::]/',
  'private 10/8': 'http://10.1.2.3/',
  'private 172.16/12': 'http://172.16.0.1/',
  'private 192.168/16': 'https://192.168.1.1:8443/',
  'carrier-grade NAT': 'http://100.64.0.1/',
  'cloud metadata': 'http://169.254.169.254/latest/meta-data/',
  'link-local IPv6': 'http://[fe80::1]/',
  'unique local IPv6': 'http://[fd00:ec2::254]/',
  multicast: 'http://224.0.0.1/',
  broadcast: 'http://255.255.255.255/',
  'a user name': 'https://user@example.com/',
  'a password': 'https://user:secret@example.com/',
  'a file': 'file:///etc/passwd',
  ftp: 'ftp://example.com/',
  'no URL': 'example.com/hook',
} as const;

test.each(Object.entries(REFUSED))('%s is refused: %s', (_, url) => {
  expect(() => checkUrl(url, false)).toThrow(
    expect.objectContaining({ code: 'WEBHOOK_TARGET_REFUSED' }),
  );
});

test.each([
  'https://93.184.216.34/hook',
  'http://[2606:4700::1111]/',
  'https://example.com/hook?token=x',
])('%s may be called', (url) => {
  expect(checkUrl(url, false).href).toBe(url);
});

test.each([
  ['http://127.0.0.1:9/', true],
  ['http://0x7f000001/', true],
  ['http://[::1]/', true],
  ['http://192.168.1.1/', true],
  ['http://[::ffff:10.0.0.1]/', true],
  ['http://[fd00::1]/', true],
  ['http://169.254.169.254/', false],
  ['http://[fe80::1]/', false],
  ['http://0.0.0.0/', false],
  ['http://user@127.0.0.1/', false],
] as const)('with private targets allowed, %s: %s', (url, allowed) => {
  const check = () => checkUrl(url, true);
  if (allowed) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ code: 'WEBHOOK_TARGET_REFUSED' }));
});

test('a name that leads to a refused address is refused as it is registered', async () => {
  await expect(checkTarget('http://localhost:1234/', false)).rejects.toMatchObject({
    code: 'WEBHOOK_TARGET_REFUSED',
  });
  await expect(checkTarget('http://localhost:1234/', true)).resolves.toBeUndefined();
});

test('the message names neither password nor query', async () => {
  const check = checkTarget('https://user:hush@example.com/hook?token=hush', false);

  await expect(check).rejects.toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('hush') }),
  );
});

test('a name that cannot be resolved now is accepted: each delivery asks again', async () => {
  await expect(checkTarget('https://no-such-host.invalid/', false)).resolves.toBeUndefined();
});

test.each([true, false])('at connection, localhost with private targets %s', async (allowed) => {
  const found = await new Promise((resolve) =>
    guardedLookup(allowed)('localhost', { all: true }, (error, addresses) =>
      resolve(error ? error.message : addresses),
    ),
  );

  if (allowed) expect(found).toEqual(expect.arrayContaining([expect.objectContaining({})]));
  else expect(found).toContain('is not a public address (loopback)');
});
