/** @file What the queue needs of Redis, looked at from outside: for `lathe doctor`. */

import { Redis } from 'ioredis';

const CONNECT_MS = 3000;
const LARGEST_CLOCK_GAP_S = 5;

export interface RedisHealth {
  /** Undefined: it does not answer, and `faults` says why. */
  readonly version: string | undefined;
  /** In words, each with what to do. */
  readonly faults: readonly string[];
}

/** Connects once, looks, disconnects; never throws and never tries again. */
export async function redisHealth(url: string): Promise<RedisHealth> {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: CONNECT_MS,
    maxRetriesPerRequest: 0,
  });
  let cause = ''; // connect() itself only says that the connection is closed
  client.on('error', (error: Error) => {
    cause = error.message;
  });
  try {
    await client.connect();
    const version = /(?:valkey|redis)_version:(\S+)/.exec(await client.info('server'))?.[1];
    const found = await Promise.all([policy(client), persistence(client), clock(client)]);
    return { version: version ?? 'of unknown version', faults: found.filter((f) => f !== '') };
  } catch (error) {
    const why = cause || (error as Error).message.replace(/\.$/, '');
    return { version: undefined, faults: [why] };
  } finally {
    client.disconnect();
  }
}

/** Managed services forbid CONFIG: then nothing is known. */
async function setting(client: Redis, name: string): Promise<string | undefined> {
  const reply = (await client.config('GET', name).catch(() => [])) as string[];
  return reply[1];
}

async function policy(client: Redis): Promise<string> {
  const found = await setting(client, 'maxmemory-policy');
  return found === undefined || found === 'noeviction'
    ? ''
    : `maxmemory-policy is ${found}: jobs may vanish; set noeviction`;
}

async function persistence(client: Redis): Promise<string> {
  const aof = await setting(client, 'appendonly');
  return aof === undefined || aof === 'yes'
    ? ''
    : 'appendonly is off: accepted jobs do not survive a restart of Redis';
}

async function clock(client: Redis): Promise<string> {
  const [seconds] = await client.time();
  const gap = Math.abs(Date.now() / 1000 - Number(seconds));
  return gap <= LARGEST_CLOCK_GAP_S
    ? ''
    : `its clock differs from this machine's by ${gap.toFixed(0)} s`;
}
