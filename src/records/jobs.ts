/** @file Job records in Redis: create, read, list, change. Reading them is in job-record.ts, their keys in job-keys.ts. */

import type { Redis } from 'ioredis';

import { teacherModels } from '../contract/teachers.ts';
import { figuresKey, stepsOf } from './figures.ts';
import { DEFAULT_PREFIX, type JobKeys, jobKeys } from './job-keys.ts';
import { type JobFilter, listJobs } from './job-list.ts';
import { type JobRecord, type NewJob, newJobRecord, TERMINAL } from './job-record.ts';
import { CHANGE, CREATE } from './job-scripts.ts';
import type { Page } from './page.ts';
import { exceeded } from './quotas.ts';
import { bytesOf, keepStored } from './stored-bytes.ts';
import type { StoredEvent } from './stored-event.ts';
import { webhookMessages } from './webhook-message.ts';

/** What a change to a record is: the fields that differ, and the events that tell of it. */
export interface Change {
  readonly set: Partial<Omit<JobRecord, 'id' | 'tenant' | 'version' | 'spec' | 'createdAt'>>;
  readonly events?: readonly StoredEvent[];
}

/** Computed from the record as it stands; undefined: nothing to change. Called again where somebody else was faster. */
export type Changer = (job: JobRecord) => Change | undefined;

/** This attempt has lost the job to another one: it must stop, and nothing it says counts. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

export class Jobs {
  readonly keys: JobKeys;
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string = DEFAULT_PREFIX) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.keys = jobKeys(prefix);
  }

  /**
   * Store a new job as `queued`. The caller then puts `record.queueId` on the queue.
   *
   * @param secret the webhook's own signing secret, sealed: kept beside the record, never in it
   * @param most jobs of the tenant that may wait; 0: any number
   * @returns the record; where the id exists already, the one that was there
   * @throws QUOTA_EXCEEDED
   */
  async create(job: NewJob, secret = '', most = 0): Promise<JobRecord> {
    const record = newJobRecord(job);
    const { id, tenant } = record;
    const answer = await this.#redis.eval(
      CREATE,
      6,
      this.keys.job(id),
      this.keys.events(id),
      this.keys.ofTenant(tenant),
      this.keys.ofTenant(tenant, 'queued'),
      this.keys.inStatus('queued'),
      this.keys.deadlines,
      id,
      record.attempt,
      JSON.stringify(record),
      this.keys.changed,
      secret,
      record.expiresAt === null ? '' : Date.parse(record.expiresAt),
      most,
      stamped({ type: 'state', status: 'queued', outcome: null, attempt: 1 }, id),
    );
    if (answer === 'full')
      throw exceeded({ quota: 'jobsQueued', used: most, allowed: most, more: 1 });
    return answer === 'ok' ? record : (await this.find(id))!;
  }

  /** @param tenant whose it must be: the job of another tenant is not there */
  async get(tenant: string, id: string): Promise<JobRecord | undefined> {
    const job = await this.find(id);
    return job?.tenant === tenant ? job : undefined;
  }

  /** For workers and upkeep, which serve every tenant. */
  async find(id: string): Promise<JobRecord | undefined> {
    const [version, record] = await this.#redis.hmget(this.keys.job(id), 'version', 'record');
    return record ? { ...(JSON.parse(record) as JobRecord), version: Number(version) } : undefined;
  }

  /** The webhook's own secret, sealed as `create` was given it. */
  async secret(id: string): Promise<string | undefined> {
    return (await this.#redis.hget(this.keys.job(id), 'secret')) || undefined;
  }

  /** Newest first. */
  list(tenant: string, filter: JobFilter = {}): Promise<Page<JobRecord>> {
    return listJobs(this.#redis, this.keys, tenant, filter);
  }

  /** Ids of all tenants' jobs in a status, oldest first. */
  idsIn(status: JobRecord['status'], limit = 10_000): Promise<string[]> {
    return this.#redis.zrange(this.keys.inStatus(status), 0, limit - 1);
  }

  /** How many of all tenants' jobs, or of one's, are in a status. */
  count(status: JobRecord['status'], tenant?: string): Promise<number> {
    const { inStatus, ofTenant } = this.keys;
    return this.#redis.zcard(tenant === undefined ? inStatus(status) : ofTenant(tenant, status));
  }

  /** For how long the job that waits longest has waited, in seconds; 0: none does. Ids begin with their time. */
  async oldestWait(now = Date.now()): Promise<number> {
    const [id] = await this.idsIn('queued', 1);
    return id === undefined ? 0 : Math.max(0, (now - Number.parseInt(id.slice(4, 16), 16)) / 1000);
  }

  /**
   * Change a record in one step: read, compute, write if unchanged; again where somebody else was faster.
   *
   * @param attempt the writer's own attempt: with it, only that attempt may write
   * @returns the record as it then stands; undefined: there is no such job
   * @throws Fenced another attempt has taken over
   */
  async change(id: string, changer: Changer, attempt?: number): Promise<JobRecord | undefined> {
    for (;;) {
      const job = await this.find(id);
      if (!job) return undefined;
      if (attempt !== undefined && job.attempt !== attempt) throw new Fenced(id);
      const change = changer(job);
      if (!change) return job;
      const next: JobRecord = { ...job, ...change.set, version: job.version + 1 };
      const answer = await this.#write(job, next, change.events ?? [], attempt);
      if (answer === 'ok') return this.#remember(next, job);
      if (answer === 'missing') return undefined;
      if (answer === 'fenced') throw new Fenced(id);
    }
  }

  /** Jobs that should have ended by now. */
  due(now = Date.now()): Promise<string[]> {
    return this.#redis.zrangebyscore(this.keys.deadlines, '-inf', now, 'LIMIT', 0, 1000);
  }

  /** Jobs that wait for stages of others. */
  held(): Promise<string[]> {
    return this.#redis.smembers(this.keys.held);
  }

  async hold(id: string): Promise<void> {
    await this.#redis.sadd(this.keys.held, id);
  }

  async letGo(id: string): Promise<void> {
    await this.#redis.srem(this.keys.held, id);
  }

  async forgetDeadline(id: string): Promise<void> {
    await this.#redis.zrem(this.keys.deadlines, id);
  }

  /** The tenant's latest job that has succeeded with this result. */
  async withResult(tenant: string, resultKey: string): Promise<JobRecord | undefined> {
    const id = await this.#redis.hget(this.keys.results(tenant), resultKey);
    const job = id === null ? undefined : await this.get(tenant, id);
    return job?.status === 'succeeded' ? job : undefined;
  }

  /**
   * Later jobs with the same spec find its result, and its files count as stored. Not of one piece with the change:
   * losing it costs a repetition, and a count that the next change of its files puts right.
   */
  async #remember(job: JobRecord, before: JobRecord): Promise<JobRecord> {
    if (job.artifacts !== before.artifacts) await this.#stored(job, bytesOf(job.artifacts));
    if (job.status === 'succeeded' && job.resultKey)
      await this.#redis.hset(this.keys.results(job.tenant), job.resultKey, job.id);
    return job;
  }

  async #stored({ tenant, id }: JobRecord, bytes: number): Promise<void> {
    await keepStored(this.#redis, this.#prefix, tenant, id, bytes);
  }

  #write(job: JobRecord, next: JobRecord, events: readonly StoredEvent[], attempt?: number) {
    const { keys } = this;
    const told = [...events, ...stateEvent(job, next)].map((e) => stamped(e, job.id));
    return this.#redis.eval(
      CHANGE,
      9,
      keys.job(job.id),
      keys.events(job.id),
      keys.ofTenant(job.tenant, job.status),
      keys.ofTenant(job.tenant, next.status),
      keys.inStatus(job.status),
      keys.inStatus(next.status),
      keys.outbox,
      keys.endpoints(job.tenant),
      figuresKey(this.#prefix),
      job.id,
      job.version,
      attempt ?? '',
      next.attempt,
      JSON.stringify(next),
      keys.changed,
      told.length,
      JSON.stringify(stepsOf(job, next, events)),
      ...told,
      ...webhookMessages(job, next, events).flatMap((m) => [m.own ? '1' : '', JSON.stringify(m)]),
    );
  }

  /** Tell the worker that runs it; the record says so too, for workers that did not hear. */
  async publishCancel(id: string): Promise<void> {
    await this.#redis.publish(this.keys.cancel, id);
  }

  /** Ids of the tenant's unfinished jobs that need the model or data set with this digest. */
  async needing(tenant: string, digest: string): Promise<string[]> {
    const ids: string[] = [];
    for (const status of ['queued', 'running', 'cancelling'] as const) {
      for (const id of await this.#redis.zrange(this.keys.ofTenant(tenant, status), 0, -1)) {
        const job = await this.find(id);
        if (job && references(job).has(digest)) ids.push(id);
      }
    }
    return ids;
  }

  /** Forget a finished job altogether. @returns whether there was one */
  async remove(job: JobRecord): Promise<boolean> {
    const { keys } = this;
    const { resultKey: result } = job;
    const results = keys.results(job.tenant);
    if (result && (await this.#redis.hget(results, result)) === job.id)
      await this.#redis.hdel(results, result);
    await this.#stored(job, 0);
    const answers = await this.#redis
      .multi()
      .del(keys.job(job.id), keys.events(job.id))
      .zrem(keys.ofTenant(job.tenant), job.id)
      .zrem(keys.ofTenant(job.tenant, job.status), job.id)
      .zrem(keys.inStatus(job.status), job.id)
      .zrem(keys.deadlines, job.id)
      .publish(keys.changed, job.id)
      .exec();
    return Number(answers?.[0]?.[1] ?? 0) > 0;
  }
}

/** Digests of everything that the job reads: model, data set, and what single stages name. */
export function references({ spec }: JobRecord): Set<string> {
  const teachers = teacherModels(spec.stages).map(({ teacher }) => teacher);
  const named = [spec.model, spec.dataset, ...spec.stages.map((s) => s.model), ...teachers];
  return new Set(
    named.filter((d): d is string => typeof d === 'string' && d.startsWith('sha256:')),
  );
}

/** A change of status is always told, and by one place. */
function stateEvent(job: JobRecord, next: JobRecord): StoredEvent[] {
  if (job.status === next.status && job.attempt === next.attempt) return [];
  const { status, outcome, attempt, error } = next;
  return [
    { type: 'state', status, outcome, attempt, ...(TERMINAL.has(status) && error && { error }) },
  ];
}

function stamped(event: StoredEvent, job: string): string {
  return JSON.stringify({ job, at: new Date().toISOString(), ...event });
}
