/** @file What each tenant may use and does use, in Redis. */

import type { Redis } from 'ioredis';

import { ServiceError } from '../contract/errors.ts';
import {
  type Allowed,
  QUOTAS,
  type Quota,
  type TenantChange,
  type TenantView,
} from '../contract/quota.ts';
import { jobKeys } from './job-keys.ts';
import { tenantKeys } from './tenant-keys.ts';

const HOUR_S = 3600;

/** The entry of what holds for every tenant. */
const EVERYBODY = '*';

/**
 * A bucket that leaks what is allowed per hour, by the clock of Redis. KEYS: bucket. ARGV: bytes, allowed per hour,
 * '1' to take them whatever comes. Answers the level before, and seconds until there is room ('0': taken).
 */
const POUR = `
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local bytes, allowed = tonumber(ARGV[1]), tonumber(ARGV[2])
local level = tonumber(redis.call('HGET', KEYS[1], 'level') or '0')
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or now)
if allowed > 0 then level = math.max(0, level - (now - at) * allowed / ${HOUR_S}) end
local over = level + bytes - allowed
if allowed > 0 and over > 0 and ARGV[3] ~= '1' then
  return { tostring(level), tostring(math.ceil(over * ${HOUR_S} / allowed)) }
end
redis.call('HSET', KEYS[1], 'level', level + bytes, 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], ${2 * HOUR_S})
return { tostring(level), '0' }`;

/** KEYS: settings. ARGV: tenant, JSON of what differs (null: forget it). */
const SET = `
local now = cjson.decode(redis.call('HGET', KEYS[1], ARGV[1]) or '{}')
for name, value in pairs(cjson.decode(ARGV[2])) do
  if value == cjson.null then now[name] = nil else now[name] = value end
end
redis.call('HSET', KEYS[1], ARGV[1], next(now) and cjson.encode(now) or '{}')`;

type Settings = Partial<Allowed & { weight: number }>;

const NOTHING: Allowed = {
  jobsQueued: 0,
  jobsRunning: 0,
  bytesStored: 0,
  uploadBytesPerHour: 0,
};

export class Quotas {
  readonly #redis: Redis;
  readonly #keys: ReturnType<typeof tenantKeys>;
  readonly #jobs: ReturnType<typeof jobKeys>;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#keys = tenantKeys(prefix);
    this.#jobs = jobKeys(prefix);
  }

  /** What holds for tenants for whom nothing else was set; workers read it too. */
  async announce(everybody: Allowed): Promise<void> {
    await this.#redis.hset(this.#keys.settings, EVERYBODY, JSON.stringify(everybody));
  }

  async change(tenant: string, change: TenantChange): Promise<void> {
    await this.#redis.eval(SET, 1, this.#keys.settings, tenant, JSON.stringify(change));
  }

  /** Those for whom something was set. */
  async tenants(): Promise<string[]> {
    const found = await this.#redis.hkeys(this.#keys.settings);
    return found.filter((name) => name !== EVERYBODY);
  }

  async view(tenant: string): Promise<TenantView> {
    const [{ weight = 1, ...allowed }, used] = await Promise.all([
      this.#settings(tenant),
      this.#used(tenant),
    ]);
    const bucket = await this.#pour(tenant, 0, allowed.uploadBytesPerHour, true);
    return { tenant, weight, allowed, used: { ...used, uploadBytesPerHour: bucket.level } };
  }

  /** Room for so many jobs. Not of one piece with their making: `jobsQueued` as `Jobs.create` takes it is. @throws QUOTA_EXCEEDED */
  async checkJobs(tenant: string, more: number): Promise<{ readonly jobsQueued: number }> {
    const allowed = await this.#settings(tenant);
    const used = await this.#used(tenant);
    refuse('jobsQueued', used, allowed, more);
    if (allowed.bytesStored > 0) refuse('bytesStored', used, allowed, 1);
    return { jobsQueued: allowed.jobsQueued };
  }

  /** Room for so many bytes more. @throws QUOTA_EXCEEDED */
  async checkStored(tenant: string, more: number): Promise<void> {
    const allowed = await this.#settings(tenant);
    if (allowed.bytesStored === 0) return;
    refuse('bytesStored', await this.#used(tenant), allowed, more);
  }

  /** So many bytes are about to arrive. @throws QUOTA_EXCEEDED */
  async admitUpload(tenant: string, bytes: number): Promise<void> {
    const { uploadBytesPerHour: allowed } = await this.#settings(tenant);
    const { level: used, seconds } = await this.#pour(tenant, bytes, allowed, false);
    if (seconds > 0) {
      const facts = { quota: 'uploadBytesPerHour', used, allowed, more: bytes } as const;
      throw exceeded(bytes > allowed ? facts : { ...facts, seconds });
    }
  }

  /** So many bytes have arrived, and nobody knew before. */
  async chargeUpload(tenant: string, bytes: number): Promise<void> {
    const { uploadBytesPerHour } = await this.#settings(tenant);
    await this.#pour(tenant, bytes, uploadBytesPerHour, true);
  }

  async #settings(tenant: string): Promise<Allowed & { readonly weight?: number }> {
    const found = await this.#redis.hmget(this.#keys.settings, EVERYBODY, tenant);
    const [everybody = {}, own = {}] = found.map((text) => JSON.parse(text ?? '{}') as Settings);
    return { ...NOTHING, ...everybody, ...own };
  }

  async #used(tenant: string): Promise<Allowed> {
    const { ofTenant } = this.#jobs;
    const [queued, running, stopping, stored] = await Promise.all([
      this.#redis.zcard(ofTenant(tenant, 'queued')),
      this.#redis.zcard(ofTenant(tenant, 'running')),
      this.#redis.zcard(ofTenant(tenant, 'cancelling')),
      this.#redis.hget(this.#keys.stored(tenant), 'total'),
    ]);
    const jobsRunning = running + stopping;
    return { ...NOTHING, jobsQueued: queued, jobsRunning, bytesStored: Number(stored ?? 0) };
  }

  async #pour(tenant: string, bytes: number, allowed: number, anyway: boolean) {
    const key = this.#keys.uploads(tenant);
    const answer = await this.#redis.eval(POUR, 1, key, bytes, allowed, anyway ? '1' : '');
    const [level = '0', seconds = '0'] = answer as string[];
    return { level: Math.round(Number(level)), seconds: Number(seconds) };
  }
}

function refuse(quota: Quota, used: Allowed, allowed: Allowed, more: number): void {
  if (allowed[quota] === 0 || used[quota] + more <= allowed[quota]) return;
  throw exceeded({ quota, used: used[quota], allowed: allowed[quota], more });
}

export function exceeded(
  facts: ConstructorParameters<typeof ServiceError<'QUOTA_EXCEEDED'>>[1],
): ServiceError {
  const { quota, used, allowed } = facts;
  const detail = `${QUOTAS[quota]}: ${used} used, ${allowed} allowed`;
  return new ServiceError('QUOTA_EXCEEDED', {
    ...facts,
    errors: [{ pointer: quota, detail }],
  } as never);
}
