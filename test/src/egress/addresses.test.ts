import { expect, test } from 'vitest';

import { checkTarget, checkUrl, guardedLookup } from '../../../src/egress/addresses.ts';

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
  'zero alone': 'http://0/',
  'two parts in hexadecimal': 'http://0x7f.1/',
  'three parts': 'http://127.0.1/',
  'octal in one number': 'http://017700000001/',
  'mixed bases': 'http://0x7f.0.0.01/',
  'upper-case hexadecimal': 'http://0X7F000001/',
  'a dot at the end': 'http://127.0.0.1./',
  'circled digits': 'http://①②⑦.⓪.⓪.①/',
  'an ideographic full stop': 'http://127。0。0。1/',
  'percent-encoded': 'http://%31%32%37.0.0.1/',
  'a percent-encoded dot': 'http://127%2e0.0.1/',
  'a soft hyphen inside': 'http://127.0.0.\u00ad1/',
  'backslashes for slashes': 'http:\\\\127.0.0.1\\',
  'three slashes': 'http:///127.0.0.1/',
  'no slashes': 'http:127.0.0.1/',
  'tabs and line breaks inside': 'ht\ttp://127.0.\n0.1/',
  'white space around': '  http://127.0.0.1/  ',
  'an empty user name': 'http://:@127.0.0.1/',
  'a user name that looks like a host': 'http://example.com@127.0.0.1/',
  'a host in the fragment': 'http://127.0.0.1#@example.com/',
  'a host in the query': 'http://127.0.0.1?@example.com/',
  'a backslash before the at sign': 'http://127.0.0.1\\@example.com/',
  'v4-mapped, long': 'http://[0:0:0:0:0:ffff:7f00:0001]/',
  'v4-mapped metadata': 'http://[::ffff:169.254.169.254]/',
  'v4-translated': 'http://[::ffff:0:127.0.0.1]/',
  'Teredo of a private address': 'http://[2001:0:a00:1::]/',
  '6to4 of loopback': 'http://[2002:7f00:1::]/',
  '6to4 of metadata': 'http://[2002:a9fe:a9fe::1]/',
  'IPv6 loopback, long': 'http://[0000:0000:0000:0000:0000:0000:0000:0001]/',
  'site-local IPv6': 'http://[fec0::1]/',
  'IPv6 multicast': 'http://[ff02::1]/',
  'IPv6 documentation': 'http://[2001:db8::1]/',
  'IPv6 discard': 'http://[100::1]/',
  'Alibaba metadata': 'http://100.100.100.200/',
  'Oracle metadata': 'http://192.0.0.192/',
  'metadata in one number': 'http://2852039166/',
  'metadata in octal': 'http://0251.0376.0251.0376/',
  'a documentation network': 'http://192.0.2.1/',
  'another documentation network': 'http://203.0.113.7/',
  'a benchmark network': 'http://198.18.0.1/',
  reserved: 'http://240.0.0.1/',
  'the end of 172.16/12': 'http://172.31.255.255/',
  'the 6to4 relay': 'http://192.88.99.1/',
  gopher: 'gopher://127.0.0.1:6379/_FLUSHALL',
  'a data URL': 'data:text/plain,hello',
  javascript: 'javascript:alert(1)',
  websocket: 'ws://example.com/',
  'no host': 'http://',
  'a port that is none': 'http://example.com:99999/',
} as const;

test('the table holds sixty spellings and more', () => {
  expect(Object.keys(REFUSED).length).toBeGreaterThanOrEqual(60);
});

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
