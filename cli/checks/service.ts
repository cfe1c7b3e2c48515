/** @file What the service itself needs: a storage that keeps what it is given, keys, workers. */

import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';

import { checkExposure, isLoopback, readConfig } from '../../src/config.ts';
import { connectRedis } from '../../src/records/redis.ts';
import { Workers } from '../../src/records/workers.ts';
import { openStore } from '../../src/storage/registry.ts';
import { LATHE } from '../../workers/jobs/versions.ts';
import type { Check } from './check.ts';

/** Puts a file there, reads it back, deletes it. */
export const storage: Check = async (env) => {
  const config = readConfig(env);
  const store = openStore(config);
  const where = config.storage === 's3' ? `bucket ${config.s3.bucket}` : config.dataDir;
  const bytes = randomBytes(64);
  const sha256 = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const { digest } = await store.putStream(once(bytes), { sha256 });
  const back = await buffer(await store.getStream(digest));
  await store.delete(digest);
  const same = back.equals(bytes);
  return {
    name: 'storage',
    state: same ? 'good' : 'bad',
    detail: `${where} ${same ? 'keeps what it is given' : 'gives back something else'}`,
  };
};

async function* once(bytes: Uint8Array) {
  yield bytes;
}

/** Who can reach the API, and with what. */
export const access: Check = async (env) => {
  const config = readConfig(env);
  checkExposure(config);
  const tenants = new Set(config.apiKeys.map(({ name }) => name));
  const open = tenants.size === 0 && !isLoopback(config.host);
  const warnings = [
    open ? `anybody who reaches ${config.host} can use it: LATHE_INSECURE=1 and no keys` : '',
    tenants.size > 1 && config.operators.length === 0
      ? 'nobody may pause workers: set LATHE_OPERATORS'
      : '',
    config.storage === 's3' && config.secretKey === ''
      ? 'LATHE_SECRET_KEY is not set: machines with folders of their own cannot read each other’s webhook secrets'
      : '',
  ].filter((warning) => warning !== '');
  const good =
    tenants.size === 0 ? 'no keys: this machine only' : `keys of ${[...tenants].join(', ')}`;
  return {
    name: 'access',
    state: warnings.length > 0 ? 'warn' : 'good',
    detail: warnings.join('; ') || good,
  };
};

const ANSWER_MS = 3000;

/** Whether anybody will take the jobs, and whether all speak the same version. */
export const workers: Check = async (env) => {
  const { redisUrl, redisPrefix } = readConfig(env);
  const redis = connectRedis(redisUrl, 'request');
  try {
    // The check of Redis says what is wrong with Redis.
    if (!(await connected(redis)))
      return { name: 'workers', state: 'warn', detail: 'not known: Redis does not answer' };
    const live = await new Workers(redis, redisPrefix).live();
    const taking = live.filter(({ duty }) => duty === 'working');
    const others = live.filter(({ version }) => version !== LATHE).map(({ id }) => id);
    const faults = [
      taking.length === 0 ? `no worker takes jobs (${live.length} alive)` : '',
      others.length > 0 ? `of another version than ${LATHE}: ${others.join(', ')}` : '',
    ].filter((fault) => fault !== '');
    return {
      name: 'workers',
      state: faults.length > 0 ? 'warn' : 'good',
      detail: faults.join('; ') || `${live.length} alive, ${taking.length} take jobs`,
    };
  } finally {
    redis.disconnect();
  }
};

async function connected(redis: ReturnType<typeof connectRedis>): Promise<boolean> {
  if (redis.status === 'ready') return true;
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), ANSWER_MS).unref();
    redis.once('ready', () => resolve(true));
  });
}
