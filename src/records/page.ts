/** @file Pages of records that are kept by id in a hash, in an order of names. */

import type { Redis } from 'ioredis';

export interface Page<Entry> {
  readonly items: readonly Entry[];
  /** Null: this was the last page. */
  readonly nextCursor: string | null;
}

/** Keys of a hash (id → JSON), and of a sorted set of names with all scores 0: a page is a range of names. */
export interface Paged {
  readonly entries: string;
  readonly order: string;
  /** Id of a name in the order; default: the name itself. */
  idOf?(name: string): string;
}

/** The greatest names first. @param limit 1–200 @param cursor `nextCursor` of the page before: the last name seen */
export async function newestPage<Entry>(
  redis: Redis,
  { entries, order, idOf = (name) => name }: Paged,
  limit: number,
  cursor: string | undefined,
): Promise<Page<Entry>> {
  const from = cursor === undefined ? '+' : `(${cursor}`;
  const names = await redis.zrange(order, from, '-', 'BYLEX', 'REV', 'LIMIT', 0, limit + 1);
  const page = names.slice(0, limit);
  const found = page.length === 0 ? [] : await redis.hmget(entries, ...page.map(idOf));
  const items = found.flatMap((json) => (json ? [JSON.parse(json) as Entry] : []));
  return { items, nextCursor: names.length > limit ? page.at(-1)! : null };
}
