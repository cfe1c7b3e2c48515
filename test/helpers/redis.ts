/** @file A Redis for one test file: private, or the one that `LATHE_TEST_REDIS_URL` names. */

import { randomBytes } from 'node:crypto';

import { type PrivateRedis, startRedis } from '../../scripts/redis.mjs';

export interface TestRedis {
  readonly url: string;
  /** Key prefix of this test file. Nothing outside it may be touched, and nothing may be flushed. */
  readonly prefix: string;
  /** The process, for fault tests; undefined for a server that is not ours to harm. */
  readonly server: PrivateRedis | undefined;
  stop(): Promise<void>;
}

export const OWN_REDIS_ONLY = 'faults are not tried on the Redis of LATHE_TEST_REDIS_URL';

/** `REDIS_URL` is for serve and worker: tests never read it. */
export async function testRedis(): Promise<TestRedis> {
  const prefix = `{lathe-test-${randomBytes(6).toString('hex')}}`;
  const given = process.env['LATHE_TEST_REDIS_URL'];
  if (given !== undefined)
    return { url: given, prefix, server: undefined, stop: () => Promise.resolve() };
  const server = await startRedis();
  return { url: server.url, prefix, server, stop: () => server.stop() };
}
