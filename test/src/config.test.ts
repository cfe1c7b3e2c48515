/** @file The environment: read once, strictly. */

import { expect, test } from 'vitest';

import { ConfigError, checkExposure, readConfig } from '../../src/config.ts';

test('without variables there are defaults, and nothing can be changed', () => {
  const config = readConfig({});

  expect(config).toMatchObject({ host: '127.0.0.1', port: 8080, apiKeys: [], insecure: false });
  expect(Object.isFrozen(config)).toBe(true);
});

test.each([
  ['LATHE_PORT', '65536'],
  ['LATHE_PORT', '-1'],
  ['LATHE_PORT', '8e3'],
  ['LATHE_INSECURE', 'true'],
  ['LATHE_API_KEYS', 'nocolon'],
  ['LATHE_API_KEYS', 'a:short'],
  ['LATHE_API_KEYS', 'a b:long-enough-key'],
  ['REDIS_URL', 'http://localhost'],
  ['LATHE_LOG_LEVEL', 'loud'],
  ['LATHE_MAX_MODEL_BYTES', '2 pounds'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => readConfig({ [name]: value })).toThrow(ConfigError);
  expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^${name} is `));
});

test('keys: names, several of a name; sizes: with units; strangers: told', () => {
  const config = readConfig({
    LATHE_API_KEYS: 'ada:first-key-1, bob:other-key-1,ada:second-key-1',
    LATHE_MAX_MODEL_BYTES: '4g',
    LATHE_DATADIR: 'x',
    LATHE_URL: 'http://x',
  });

  expect(config.apiKeys.map(({ name }) => name)).toEqual(['ada', 'bob', 'ada']);
  expect(config.maxModelBytes).toBe(4 * 2 ** 30);
  expect(config.warnings).toEqual([expect.stringContaining('did you mean LATHE_DATA_DIR?')]);
});

test.each([
  ['0.0.0.0', {}, false],
  ['192.168.0.2', {}, false],
  ['127.0.0.1', {}, true],
  ['127.8.9.1', {}, true],
  ['::1', {}, true],
  ['localhost', {}, true],
  ['localhost.example', {}, false],
  ['0.0.0.0', { LATHE_INSECURE: '1' }, true],
  ['0.0.0.0', { LATHE_API_KEYS: 'a:long-enough' }, true],
])('listening on %s with %o', (host, env, allowed) => {
  const check = () => checkExposure(readConfig({ LATHE_HOST: host, ...env }));

  if (allowed) expect(check).not.toThrow();
  else expect(check).toThrow(/no keys/);
});
