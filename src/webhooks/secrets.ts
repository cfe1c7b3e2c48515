/** @file Signing secrets: a job's own, else its tenant's. */

import { randomBytes } from 'node:crypto';

import type { Redis } from 'ioredis';

import type { JobRecord } from '../records/job-record.ts';
import type { Jobs } from '../records/jobs.ts';
import type { Seal } from './seal.ts';

const SECRET_BYTES = 32;

export class SigningSecrets {
  readonly #redis: Redis;
  readonly #jobs: Jobs;
  readonly #seal: Seal;

  constructor(redis: Redis, jobs: Jobs, seal: Seal) {
    this.#redis = redis;
    this.#jobs = jobs;
    this.#seal = seal;
  }

  /** `whsec_…`, made on first use. */
  async ofTenant(tenant: string): Promise<string> {
    const key = this.#jobs.keys.signing(tenant);
    const fresh = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
    await this.#redis.setnx(key, this.#seal.seal(fresh));
    return this.#seal.open((await this.#redis.get(key)) ?? '');
  }

  async ofJob({ id, tenant }: JobRecord): Promise<string> {
    const own = await this.#jobs.secret(id);
    return own === undefined ? this.ofTenant(tenant) : this.#seal.open(own);
  }
}
