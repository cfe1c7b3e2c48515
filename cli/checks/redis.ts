/** @file What the queue needs of Redis. */

import { Redis } from 'ioredis';

import { readConfig } from '../../src/config.ts';
import type { Check } from './check.ts';

const LARGEST_CLOCK_GAP_S = 5;

export const redis: Check = async (env) => {
  const { redisUrl } = readConfig(env);
  const shown = redisUrl.replace(/\/\/[^@/]*@/, '//…@');
  const client = new Redis(redisUrl, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 3000,
    maxRetriesPerRequest: 0,
  });
  let cause = ''; // connect() itself only says that the connection is closed
  client.on('error', (error: Error) => {
    cause = error.message;
  });
  try {
    await client.connect();
    const info = await client.info('server');
    const version = /(?:valkey|redis)_version:(\S+)/.exec(info)?.[1] ?? 'of unknown version';
    const faults = [
      await policyFault(client),
      await persistenceFault(client),
      await clockFault(client),
    ].filter((f) => f !== '');
    return faults.length > 0
      ? { name: 'Redis', state: 'warn', detail: `${shown}, ${version}: ${faults.join('; ')}` }
      : {
          name: 'Redis',
          state: 'good',
          detail: `${shown}, ${version}: noeviction, append-only file, clocks agree`,
        };
  } catch (error) {
    return {
      name: 'Redis',
      state: 'bad',
      detail: `${shown} does not answer: ${cause || (error as Error).message.replace(/\.$/, '')}. Needed by serve and worker only.`,
    };
  } finally {
    client.disconnect();
  }
};

/** Managed services forbid CONFIG: then nothing is known. */
async function setting(client: Redis, name: string): Promise<string | undefined> {
  const reply = (await client.config('GET', name).catch(() => [])) as string[];
  return reply[1];
}

async function policyFault(client: Redis): Promise<string> {
  const policy = await setting(client, 'maxmemory-policy');
  return policy === undefined || policy === 'noeviction'
    ? ''
    : `maxmemory-policy is ${policy}: jobs may vanish; set noeviction`;
}

async function persistenceFault(client: Redis): Promise<string> {
  const aof = await setting(client, 'appendonly');
  return aof === undefined || aof === 'yes'
    ? ''
    : 'appendonly is off: accepted jobs do not survive a restart of Redis';
}

async function clockFault(client: Redis): Promise<string> {
  const [seconds] = await client.time();
  const gap = Math.abs(Date.now() / 1000 - Number(seconds));
  return gap <= LARGEST_CLOCK_GAP_S
    ? ''
    : `its clock differs from this machine's by ${gap.toFixed(0)} s`;
}
