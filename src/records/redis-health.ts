/** @file What the queue needs of Redis, looked at from outside: for `lathe doctor`. */

import { Redis } from 'ioredis';

const CONNECT_MS = 3000;
const LARGEST_CLOCK_GAP_S = 5;

/** The oldest that knows every command we use. */
const LEAST_VERSION = [6, 2];

/** Share of `maxmemory` above which writes will fail soon. */
const NEARLY_FULL = 0.8;

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
    const found = [
      tooOld(version),
      ...(await Promise.all([policy(client), persistence(client), memory(client), clock(client)])),
    ];
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

function tooOld(version = ''): string {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = LEAST_VERSION;
  const old = major < leastMajor || (major === leastMajor && minor < leastMinor);
  return old ? `it is older than ${LEAST_VERSION.join('.')}` : '';
}

async function memory(client: Redis): Promise<string> {
  const text = await client.info('memory');
  const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  const [used, most] = [figure('used_memory'), figure('maxmemory')];
  return most > 0 && used > NEARLY_FULL * most
    ? `${Math.round((100 * used) / most)} % of its maxmemory is used: writes fail when it is full`
    : '';
}

async function clock(client: Redis): Promise<string> {
  const [seconds] = await client.time();
  const gap = Math.abs(Date.now() / 1000 - Number(seconds));
  return gap <= LARGEST_CLOCK_GAP_S
    ? ''
    : `its clock differs from this machine's by ${gap.toFixed(0)} s`;
}
