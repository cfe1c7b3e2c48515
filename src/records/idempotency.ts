/** @file Idempotency keys: one job per key, whatever dies in between (draft-ietf-httpapi-idempotency-key-header-07). */

import { createHash } from 'node:crypto';

import type { Redis } from 'ioredis';

import { ServiceError } from '../contract/errors.ts';
import { newJobId } from '../contract/ids.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Kept {
  /** Digest of what was sent. */
  readonly payload: string;
  /** The id that the job has, or will have: chosen before the job is made, so that it is made once. */
  readonly job: string;
  /** When somebody last began to make it (ms). */
  readonly at: number;
  /** Undefined: whoever makes it has not answered yet. */
  readonly answer?: Answer;
}

/** `begun`: make the job under this id. `replay`: this was the answer. */
export type Turn =
  | { readonly begun: string; finish(answer: Answer): Promise<void> }
  | { readonly replay: Answer }
  | { readonly made: string };

const KEPT_S = 86_400;

/** Whoever began and has not made the job within this time is dead. */
const DEAD_MS = 30_000;

/** KEYS: key. ARGV: value as read, new value. */
const REPLACE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`;

export class Idempotency {
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /**
   * @param where method and path @param payload digest of what was sent
   * @param isMade whether there is a job of this id
   * @throws IDEMPOTENCY_KEY_REUSED · IDEMPOTENCY_IN_PROGRESS
   */
  async begin(
    tenant: string,
    where: string,
    key: string,
    payload: string,
    isMade: (job: string) => Promise<boolean>,
  ): Promise<Turn> {
    const name = this.#name(tenant, where, key);
    const mine = JSON.stringify({ payload, job: newJobId(), at: Date.now() } satisfies Kept);
    if ((await this.#redis.set(name, mine, 'EX', KEPT_S, 'NX')) === 'OK')
      return this.#turn(name, mine);
    const text = await this.#redis.get(name);
    if (text === null) return this.begin(tenant, where, key, payload, isMade); // just expired
    const kept = JSON.parse(text) as Kept;
    if (kept.payload !== payload) throw new ServiceError('IDEMPOTENCY_KEY_REUSED', { key });
    if (kept.answer) return { replay: kept.answer };
    if (await isMade(kept.job)) return { made: kept.job };
    return this.#takeOver(name, text, kept, key);
  }

  async #takeOver(name: string, text: string, kept: Kept, key: string): Promise<Turn> {
    const mine = JSON.stringify({ ...kept, at: Date.now() });
    const dead = Date.now() - kept.at > DEAD_MS;
    if (!dead || (await this.#redis.eval(REPLACE, 1, name, text, mine)) !== 1)
      throw new ServiceError('IDEMPOTENCY_IN_PROGRESS', { key });
    return this.#turn(name, mine);
  }

  #turn(name: string, text: string): Turn {
    const kept = JSON.parse(text) as Kept;
    return {
      begun: kept.job,
      finish: async (answer) => {
        await this.#redis.eval(REPLACE, 1, name, text, JSON.stringify({ ...kept, answer }));
      },
    };
  }

  #name(tenant: string, where: string, key: string): string {
    const hash = createHash('sha256').update(`${where} ${key}`).digest('hex');
    return `${this.#prefix}:tenant:${tenant}:idempotency:${hash}`;
  }
}
