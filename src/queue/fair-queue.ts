/** @file The queue of jobs: everybody's wait in line, and a few at a time are admitted to the workers, in turn between tenants. */

import { setTimeout as sleep } from 'node:timers/promises';

import type { Redis } from 'ioredis';

import type { Requires } from '../contract/requires.ts';
import type { WorkerView } from '../contract/worker.ts';
import { type JobRecord, TERMINAL } from '../records/job-record.ts';
import type { Jobs } from '../records/jobs.ts';
import { Workers } from '../records/workers.ts';
import { type OnError, PoolQueues } from './bullmq.ts';
import type { JobQueue, Queued, QueuedState } from './job-queue.ts';
import { classOf, isHigher, jobOf, Line, type Place, type Placed } from './line.ts';
import { canRun, obstacleOf, type Pool, poolsOf, roomOf } from './pools.ts';

/** Rounds of `tend` that a pool must be seen without a worker before its jobs at work are given up. */
const ABSENT_ROUNDS = 60;
/** Least time between two rounds of `tend`, by whichever process: some two seconds. */
const ROUND_MS = 1800;
const SEEN_MS = 1000;
/** While Redis is away nothing ends by itself. */
const CLOSE_MS = 1000;

/**
 * The line is the truth, BullMQ's queues hold at most slots + 2 jobs of each pool. Any process may dispatch at any time,
 * and any may die: a job that was admitted and never queued is queued by the next round of `tend`.
 */
export class FairQueue implements JobQueue {
  readonly #redis: Redis;
  readonly #absent: string;
  readonly #round: string;
  readonly #line: Line;
  readonly #queues: PoolQueues;
  readonly #workers: Workers;
  readonly #onError: OnError;
  #dispatching: Promise<void> | undefined;
  #again = false;
  /** The workers as they were a moment ago: lists of jobs ask for each of them. */
  #seen: { readonly at: number; readonly workers: Promise<WorkerView[]> } | undefined;

  /** @param redis a connection that fails at once while Redis is away, or one that waits: as the caller wants to */
  constructor(redis: Redis, prefix: string, onError: OnError) {
    this.#redis = redis;
    this.#absent = `${prefix}:line:absent`;
    this.#round = `${prefix}:line:round`;
    this.#line = new Line(redis, prefix);
    this.#queues = new PoolQueues(redis, prefix, onError);
    this.#workers = new Workers(redis, prefix);
    this.#onError = onError;
  }

  async add(job: Queued): Promise<void> {
    await this.#line.enter(job);
    this.#dispatchAndMakeWay(job).catch(this.#onError);
  }

  async remove(queueId: string): Promise<boolean> {
    const place = await this.#placeOf(queueId);
    if (!place) return false;
    if (place.pool !== undefined && !(await this.#queues.remove(place.pool, queueId))) return false;
    return this.#line.leave(queueId);
  }

  async release(queueId: string): Promise<void> {
    await this.#line.leave(queueId);
    await this.dispatch();
  }

  async state(queueId: string): Promise<QueuedState> {
    const place = await this.#placeOf(queueId);
    if (!place) return 'missing';
    return place.pool === undefined ? 'waiting' : this.#queues.state(place.pool, queueId);
  }

  async position(job: Pick<Queued, 'queueId' | 'tenant'>): Promise<number | null> {
    return (await this.#line.position(job)) ?? null;
  }

  async stranded(queueId: string): Promise<boolean> {
    const { pool } = (await this.#placeOf(queueId)) ?? {};
    if (pool === undefined) return false;
    return Number(await this.#redis.hget(this.#absent, pool)) >= ABSENT_ROUNDS;
  }

  async obstacle(asked: Requires): Promise<string | null> {
    if (!this.#seen || performance.now() - this.#seen.at > SEEN_MS)
      this.#seen = { at: performance.now(), workers: this.#workers.live() };
    return obstacleOf(await this.#seen.workers, asked);
  }

  async close(): Promise<void> {
    await Promise.race([
      this.#dispatching?.catch(() => undefined),
      sleep(CLOSE_MS, undefined, { ref: false }),
    ]);
    await this.#queues.close();
  }

  /** Admit what there is room for. One at a time in each process: who asks meanwhile waits for the next. */
  dispatch(): Promise<void> {
    this.#again = true;
    this.#dispatching ??= this.#rounds().finally(() => {
      this.#dispatching = undefined;
    });
    return this.#dispatching;
  }

  /** Bring line, queues and workers together again: what a process that died has left undone. Then dispatch. */
  async tend(jobs: Jobs): Promise<void> {
    if ((await this.#redis.set(this.#round, '1', 'PX', ROUND_MS, 'NX')) !== 'OK') return;
    const pools = poolsOf(await this.#workers.live());
    const names = await this.#present(pools);
    for (const name of names) {
      const admitted = await this.#line.admittedTo(name);
      for (const placed of admitted) await this.#mend(placed, pools, jobs);
      if (admitted.length === 0) await this.#redis.hdel(this.#absent, name);
    }
    await this.dispatch();
  }

  async #rounds(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#admitAll(await this.#workers.live());
    }
  }

  async #admitAll(workers: readonly WorkerView[]): Promise<void> {
    const pools = poolsOf(workers);
    const needs = pools.length > 0 ? await this.#line.needs() : [];
    for (const pool of pools) {
      const met = needs.filter(({ asked }) => canRun(pool, asked)).map(({ need }) => need);
      for (;;) {
        const admitted = await this.#line.admit(pool.name, roomOf(pool), ['', ...met]);
        if (!admitted) break;
        await this.#enqueue(admitted, pool.name);
      }
    }
  }

  async #enqueue([id, { queueId, score }]: Placed, pool: string): Promise<void> {
    await this.#queues.add(pool, id, queueId, classOf(score));
  }

  /** Where others of its tenant and of a lower class wait for a worker already, one of them gives its place up. */
  async #dispatchAndMakeWay({ id, tenant }: Queued): Promise<void> {
    await this.dispatch();
    const place = await this.#line.place(id);
    if (!place || place.pool !== undefined) return;
    for (const [, other] of await this.#line.admittedOf(tenant)) {
      if (!isHigher(place, other)) return;
      if (await this.#withdraw(other)) return this.dispatch();
    }
  }

  async #withdraw({ pool, queueId }: Place): Promise<boolean> {
    if (pool === undefined || !(await this.#queues.remove(pool, queueId))) return false;
    return this.#line.giveBack(queueId);
  }

  async #mend([id, place]: Placed, pools: readonly Pool[], jobs: Jobs): Promise<void> {
    const { queueId, pool: name } = place;
    const pool = pools.find((p) => p.name === name);
    const job = await jobs.find(id);
    if (!stillIts(job, queueId)) {
      await this.#queues.remove(name!, queueId);
      await this.#line.leave(queueId);
    } else if (job?.status === 'queued') {
      const state = await this.#queues.state(name!, queueId);
      if (state === 'missing' && pool) await this.#enqueue([id, place], name!);
      else if (state === 'missing') await this.#line.giveBack(queueId);
      else if (state === 'waiting' && (pool?.slots ?? 0) === 0) await this.#withdraw(place);
    }
  }

  /** Count how long each pool that was seen once has been without a worker. @returns the names of all of them */
  async #present(pools: readonly Pool[]): Promise<string[]> {
    const seen = Object.keys(await this.#redis.hgetall(this.#absent));
    const pipeline = this.#redis.pipeline();
    for (const { name } of pools) pipeline.hset(this.#absent, name, 0);
    const gone = seen.filter((name) => !pools.some((pool) => pool.name === name));
    for (const name of gone) pipeline.hincrby(this.#absent, name, 1);
    await pipeline.exec();
    return [...pools.map(({ name }) => name), ...gone];
  }

  async #placeOf(queueId: string): Promise<Place | undefined> {
    const place = await this.#line.place(jobOf(queueId));
    return place?.queueId === queueId ? place : undefined;
  }
}

/** Whether the record still goes by this queue job. */
const stillIts = (job: JobRecord | undefined, queueId: string): boolean =>
  job !== undefined && job.queueId === queueId && !TERMINAL.has(job.status);
