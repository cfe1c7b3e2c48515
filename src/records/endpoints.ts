/** @file Webhook endpoints of a tenant in Redis. */

import type { Redis } from 'ioredis';

import type { EndpointEvent, WebhookView } from '../contract/webhook.ts';
import type { JobKeys } from './job-keys.ts';

export interface EndpointRecord {
  readonly id: string;
  readonly url: string;
  readonly events: readonly EndpointEvent[];
  readonly description: string | null;
  /** In words why nothing is sent there; null: it is enabled. */
  readonly disabledReason: string | null;
  readonly failingSince: string | null;
  readonly createdAt: string;
  /** Sealed. */
  readonly secret: string;
  /** The secret before, sealed: signs too until then. */
  readonly previous: { readonly secret: string; readonly until: string } | null;
}

export const MOST_ENDPOINTS = 32;

/** KEYS: endpoints. ARGV: id, record, most. Answers 1, or 0 where there are as many as may be. */
const ADD = `
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])`;

/** KEYS: endpoints. ARGV: id, record as read, new record. Answers 1, or 0 where somebody else was faster. */
const REPLACE = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`;

export class Endpoints {
  readonly #redis: Redis;
  readonly #keys: JobKeys;

  constructor(redis: Redis, keys: JobKeys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** @returns false: the tenant has as many as it may have */
  async add(tenant: string, endpoint: EndpointRecord): Promise<boolean> {
    const key = this.#keys.endpoints(tenant);
    const json = JSON.stringify(endpoint);
    return (await this.#redis.eval(ADD, 1, key, endpoint.id, json, MOST_ENDPOINTS)) === 1;
  }

  async get(tenant: string, id: string): Promise<EndpointRecord | undefined> {
    const json = await this.#redis.hget(this.#keys.endpoints(tenant), id);
    return json === null ? undefined : (JSON.parse(json) as EndpointRecord);
  }

  /** Oldest first. */
  async list(tenant: string): Promise<EndpointRecord[]> {
    const found = await this.#redis.hvals(this.#keys.endpoints(tenant));
    const all = found.map((json) => JSON.parse(json) as EndpointRecord);
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** @param changer the fields that differ; undefined: nothing @returns the record as it then stands */
  async change(
    tenant: string,
    id: string,
    changer: (now: EndpointRecord) => Partial<EndpointRecord> | undefined,
  ): Promise<EndpointRecord | undefined> {
    const key = this.#keys.endpoints(tenant);
    for (;;) {
      const json = await this.#redis.hget(key, id);
      if (json === null) return undefined;
      const now = JSON.parse(json) as EndpointRecord;
      const set = changer(now);
      if (!set) return now;
      const next = { ...now, ...set };
      if ((await this.#redis.eval(REPLACE, 1, key, id, json, JSON.stringify(next))) === 1)
        return next;
    }
  }

  /** @returns whether it was there */
  async remove(tenant: string, id: string): Promise<boolean> {
    return (await this.#redis.hdel(this.#keys.endpoints(tenant), id)) === 1;
  }
}

export function endpointView(endpoint: EndpointRecord): WebhookView {
  const { id, url, events, description, disabledReason, failingSince, createdAt } = endpoint;
  return {
    id,
    url,
    events: [...events],
    description,
    enabled: disabledReason === null,
    disabledReason,
    failingSince,
    createdAt,
  };
}
