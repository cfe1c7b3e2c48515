/** @file Webhooks delivered by a process of their own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { lathe } from '../helpers/lathe.ts';
import { receiver } from '../helpers/receiver.ts';
import { openSite } from './site.ts';

const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');

test('`lathe serve --role webhooks` delivers what an API with LATHE_ROLE=api does not, and ends on SIGTERM', async () => {
  const site = await openSite({ LATHE_ROLE: 'api' });
  const target = await receiver();
  const registered = await site.http.post('/v1/webhooks').send({ url: target.url });
  await site.http.post(`/v1/webhooks/${registered.body.webhook.id}/test`);
  await sleep(300);
  const before = target.received.length;

  const child = spawn(process.execPath, [MAIN, 'serve', '--role', 'webhooks'], {
    stdio: 'ignore',
    env: {
      ...process.env,
      REDIS_URL: site.redis.url,
      LATHE_REDIS_PREFIX: site.redis.prefix,
      LATHE_DATA_DIR: site.folder,
      LATHE_ALLOW_PRIVATE_TARGETS: '1',
    },
  });
  await expect.poll(() => target.received.length, { timeout: 20_000 }).toBe(1);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');

  expect(before).toBe(0);
  expect(await ended).toEqual([0, null]);
  await site.close();
  await target.close();
});

test('a role that does not exist is refused by name', async () => {
  const { code, stderr } = await lathe(['serve', '--role', 'hooks']);

  expect(code).toBe(2);
  expect(stderr).toContain("LATHE_ROLE is 'hooks'; valid: one of all, api, webhooks");
});
