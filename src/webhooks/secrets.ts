/** @file Signing secrets: a job's own, an endpoint's, else the tenant's. During a rotation two of them sign. */

import { randomBytes } from 'node:crypto';

import type { Redis } from 'ioredis';

import type { NewSecret } from '../contract/webhook.ts';
import type { EndpointRecord } from '../records/endpoints.ts';
import type { JobRecord } from '../records/job-record.ts';
import type { Jobs } from '../records/jobs.ts';
import type { Seal } from '../secrets/seal.ts';

const SECRET_BYTES = 32;

/** How long the previous secret signs too. */
const OVERLAP_S = 86_400;

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
    await this.#redis.setnx(key, this.#seal.seal(fresh()));
    return this.#seal.open((await this.#redis.get(key)) ?? '');
  }

  /** A new secret for the tenant; the one before signs too for a day. */
  async rotateTenant(tenant: string): Promise<NewSecret> {
    const key = this.#jobs.keys.signing(tenant);
    const secret = fresh();
    const previous = await this.#redis.set(key, this.#seal.seal(secret), 'GET');
    if (previous !== null) await this.#redis.set(previousOf(key), previous, 'EX', OVERLAP_S);
    return { secret, previousValidUntil: previous === null ? null : overlapEnd() };
  }

  /** A new secret and how an endpoint's record keeps it. */
  forEndpoint(endpoint?: EndpointRecord): {
    readonly shown: NewSecret;
    readonly kept: Pick<EndpointRecord, 'secret' | 'previous'>;
  } {
    const secret = fresh();
    const until = overlapEnd();
    const previous = endpoint ? { secret: endpoint.secret, until } : null;
    return {
      shown: { secret, previousValidUntil: previous && until },
      kept: { secret: this.#seal.seal(secret), previous },
    };
  }

  /** All that sign now for an endpoint, the current one first. */
  ofEndpoint({ secret, previous }: EndpointRecord): string[] {
    const valid = previous !== null && Date.parse(previous.until) > Date.now();
    return [secret, ...(valid ? [previous.secret] : [])].map((sealed) => this.#seal.open(sealed));
  }

  /** All that sign now for a job's own webhook, the current one first. */
  async ofJob({ id, tenant }: JobRecord): Promise<string[]> {
    const own = await this.#jobs.secret(id);
    if (own !== undefined) return [this.#seal.open(own)];
    const previous = await this.#redis.get(previousOf(this.#jobs.keys.signing(tenant)));
    const before = previous === null ? [] : [this.#seal.open(previous)];
    return [await this.ofTenant(tenant), ...before];
  }
}

const fresh = () => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
const previousOf = (key: string) => `${key}:previous`;
const overlapEnd = () => new Date(Date.now() + 1000 * OVERLAP_S).toISOString();
