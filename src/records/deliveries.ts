/** @file The delivery log of each webhook endpoint in Redis: its latest messages and every try. */

import type { Redis } from 'ioredis';

import type { DeliveryView, Try } from '../contract/webhook.ts';
import type { JobKeys } from './job-keys.ts';
import { newestPage, type Page } from './page.ts';
import type { WebhookMessage } from './webhook-message.ts';

export interface DeliveryRecord extends DeliveryView {
  /** As it is sent. */
  readonly body: string;
  /** Raised by each redelivery: names the queue job. */
  readonly round: number;
}

const KEPT = 1000;
const KEPT_TRIES = 20;

export const DELIVERY_CURSOR_PATTERN = '^\\d{13}-msg_\\w{1,100}$';

/** What follows the time in a place. */
const idOf = (place: string): string => place.slice(place.indexOf('-') + 1);

/** A hash (id → JSON), and a sorted set of `<time>-<id>` with all scores 0, so that a page is a range of names. */
export class Deliveries {
  readonly #redis: Redis;
  readonly #keys: JobKeys;

  constructor(redis: Redis, keys: JobKeys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** Keeps the first entry of an id. Old ones make room. */
  async add(endpoint: string, delivery: DeliveryRecord): Promise<void> {
    const { id } = delivery;
    const [entries, order] = this.#of(endpoint);
    await this.#redis
      .multi()
      .hsetnx(entries, id, JSON.stringify(delivery))
      .zadd(order, 'NX', 0, placeOf(delivery))
      .exec();
    const old = await this.#redis.zrange(order, 0, -KEPT - 1);
    if (old.length === 0) return;
    const ids = old.map(idOf);
    await this.#redis
      .multi()
      .hdel(entries, ...ids)
      .zrem(order, ...old)
      .exec();
  }

  async get(endpoint: string, id: string): Promise<DeliveryRecord | undefined> {
    const json = await this.#redis.hget(this.#of(endpoint)[0], id);
    return json === null ? undefined : (JSON.parse(json) as DeliveryRecord);
  }

  /** Newest first. @param limit 1–200 @param cursor `nextCursor` of the page before */
  list(endpoint: string, limit: number, cursor?: string): Promise<Page<DeliveryRecord>> {
    const [entries, order] = this.#of(endpoint);
    return newestPage(this.#redis, { entries, order, idOf }, limit, cursor);
  }

  /** @returns the record as it then stands; undefined: it has made room for others */
  async change(
    endpoint: string,
    id: string,
    changer: (now: DeliveryRecord) => Partial<DeliveryRecord>,
  ): Promise<DeliveryRecord | undefined> {
    const now = await this.get(endpoint, id);
    if (!now) return undefined;
    const next = { ...now, ...changer(now) };
    await this.#redis.hset(this.#of(endpoint)[0], id, JSON.stringify(next));
    return next;
  }

  async remove(endpoint: string): Promise<void> {
    await this.#redis.del(...this.#of(endpoint));
  }

  #of(endpoint: string): [entries: string, order: string] {
    const key = this.#keys.deliveries(endpoint);
    return [key, `${key}:order`];
  }
}

/** A message that nobody has tried to deliver. */
export function newDelivery({ id, type, job, at, body }: WebhookMessage): DeliveryRecord {
  const tries: Try[] = [];
  return { id, type, job, status: 'pending', tries, nextTryAt: at, createdAt: at, body, round: 1 };
}

const placeOf = ({ createdAt, id }: DeliveryView) => `${Date.parse(createdAt)}-${id}`;

export const withTry = (tries: readonly Try[], one: Try): Try[] =>
  [...tries, one].slice(-KEPT_TRIES);

export function deliveryView({ body: _, round: __, ...view }: DeliveryRecord): DeliveryView {
  return view;
}
