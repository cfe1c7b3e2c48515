/** @file The waiting line in Redis: a list per tenant and need, and what was admitted to which pool of workers. */

import type { Redis } from 'ioredis';

import { digestOfJson } from '../contract/canonical-json.ts';
import { asksNothing, type Requires } from '../contract/requires.ts';
import { jobKeys } from '../records/job-keys.ts';
import { tenantKeys } from '../records/tenant-keys.ts';
import type { Queued } from './job-queue.ts';
import { ADMIT, ENTER, GIVE_BACK, LEAVE, POSITION } from './line-scripts.ts';

/** Where a job stands. */
export interface Place {
  readonly queueId: string;
  readonly tenant: string;
  /** Names what the job asks of its worker; '': nothing. */
  readonly need: string;
  /** What that is, as JSON. */
  readonly asked: string;
  /** Class, then time of creation: within a tenant the least goes first. A string, for Lua would round it. */
  readonly score: string;
  /** Absent: it waits in its tenant's list. */
  readonly pool?: string;
}

export type Placed = readonly [id: string, place: Place];

const CLASSES = ['high', 'normal', 'low'] as const;
/** Milliseconds have 48 bits. */
const CLASS = 2 ** 48;

export const jobOf = (queueId: string): string => queueId.replace(/-\d+$/, '');

export class Line {
  readonly #redis: Redis;
  readonly #base: string;
  readonly #keys: readonly string[];
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
    const base = `${prefix}:line`;
    this.#base = base;
    const own = ['places', 'tenants', 'passes', 'clock', 'waiting', 'needed', 'needs'];
    this.#keys = [...own.map((name) => `${base}:${name}`), tenantKeys(prefix).settings];
  }

  /** Behind those of its tenant and class that are older. @returns false: it stood there already */
  async enter(job: Queued): Promise<boolean> {
    return (await this.#run(ENTER, job.id, JSON.stringify(placeFor(job)))) === 1;
  }

  /** @returns false: the job has another place, or none */
  async leave(queueId: string): Promise<boolean> {
    return (await this.#run(LEAVE, jobOf(queueId), queueId)) === 1;
  }

  /** Admit the next job to a pool that has not `room` jobs yet. @param needs that the pool meets */
  async admit(pool: string, room: number, needs: readonly string[]): Promise<Placed | undefined> {
    const found = (await this.#run(ADMIT, pool, room, ...needs)) as [string, string] | null;
    return found ? [found[0], JSON.parse(found[1]) as Place] : undefined;
  }

  /** An admitted job waits again, and its tenant has its turn back. */
  async giveBack(queueId: string): Promise<boolean> {
    return (await this.#run(GIVE_BACK, jobOf(queueId), queueId)) === 1;
  }

  async place(id: string): Promise<Place | undefined> {
    const text = await this.#redis.hget(this.#keys[0]!, id);
    return text === null ? undefined : (JSON.parse(text) as Place);
  }

  /** Everything that was admitted to a pool. */
  async admittedTo(pool: string): Promise<Placed[]> {
    return this.#places(await this.#redis.smembers(`${this.#base}:pool:${pool}`));
  }

  /** The tenant's admitted jobs, the first to go last. */
  async admittedOf(tenant: string): Promise<Placed[]> {
    return this.#places(await this.#redis.zrevrange(this.#admitted(tenant), 0, -1));
  }

  /** What jobs that wait ask for. */
  async needs(): Promise<{ readonly need: string; readonly asked: Requires }[]> {
    const found = await this.#redis.hgetall(this.#keys[6]!);
    return Object.entries(found).map(([need, asked]) => ({ need, asked: JSON.parse(asked) }));
  }

  /** Jobs of its tenant that are before it; undefined: the job has another place, or none. */
  async position({ queueId, tenant }: Pick<Queued, 'queueId' | 'tenant'>) {
    const queued = jobKeys(this.#prefix).ofTenant(tenant, 'queued');
    const found = await this.#run(POSITION, jobOf(queueId), queueId, queued);
    return found === null ? undefined : Number(found);
  }

  async #places(ids: readonly string[]): Promise<Placed[]> {
    if (ids.length === 0) return [];
    const found = await this.#redis.hmget(this.#keys[0]!, ...ids);
    return found.flatMap((text, i) => (text ? [[ids[i]!, JSON.parse(text) as Place]] : []));
  }

  #run(script: string, ...argv: (string | number)[]): Promise<unknown> {
    return this.#redis.eval(script, this.#keys.length, ...this.#keys, this.#base, ...argv);
  }

  #admitted = (tenant: string) => `${this.#base}:admitted:${tenant}`;
}

/** The class of a job at this score. */
export const classOf = (score: string): (typeof CLASSES)[number] =>
  CLASSES[Math.floor(Number(score) / CLASS)] ?? 'low';

/** Whether the first is of a higher class. */
export const isHigher = (a: Place, b: Place): boolean =>
  Math.floor(Number(a.score) / CLASS) < Math.floor(Number(b.score) / CLASS);

function placeFor({ queueId, tenant, spec, createdAt }: Queued): Place {
  const { priority = 'normal', requires = {} } = spec;
  const score = CLASSES.indexOf(priority) * CLASS + Date.parse(createdAt);
  const need = asksNothing(requires) ? '' : digestOfJson(requires).slice(7, 31);
  const asked = need === '' ? '' : JSON.stringify(requires);
  return { queueId, tenant, need, asked, score: String(score) };
}
