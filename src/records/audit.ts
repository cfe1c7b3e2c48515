/** @file The audit log of each tenant: who changed what, kept for the latest ten thousand changes. */

import type { Redis } from 'ioredis';

import type { AuditEntry } from '../contract/audit.ts';

/** Ids of a stream but the first: nothing is before it, and Redis refuses to look. Twenty digits may be too many for it. */
export const AUDIT_CURSOR_PATTERN = '^(?!0+-0+$)\\d{1,19}-\\d{1,19}$';

const KEPT = 10_000;

export class Audit {
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async add(tenant: string, entry: AuditEntry): Promise<void> {
    const text = JSON.stringify(entry);
    await this.#redis.xadd(this.#key(tenant), 'MAXLEN', '~', KEPT, '*', 'entry', text);
  }

  /** Newest first. @param cursor `nextCursor` of the page before @param limit 1–200 */
  async list(
    tenant: string,
    limit: number,
    cursor?: string,
  ): Promise<{ readonly items: AuditEntry[]; readonly nextCursor: string | null }> {
    const from = cursor === undefined ? '+' : `(${cursor}`;
    const found = await this.#redis.xrevrange(this.#key(tenant), from, '-', 'COUNT', limit + 1);
    const page = found.slice(0, limit);
    return {
      items: page.map(([, fields]) => JSON.parse(fields[1] ?? '{}') as AuditEntry),
      nextCursor: found.length > limit ? page.at(-1)![0] : null,
    };
  }

  #key = (tenant: string) => `${this.#prefix}:tenant:${tenant}:audit`;
}
