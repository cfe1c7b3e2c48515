/** @file The queue on BullMQ: the only file of this side that imports it. */

import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';

import type { QueuedState } from './job-queue.ts';

const UPKEEP_QUEUE = 'upkeep';

/** One prefix keeps the queues apart from everything else in the same Redis. */
export const queuePrefix = (prefix: string) => `${prefix}:queue`;

/** Finished queue jobs are nothing but ids: the records tell what became of them. */
const KEEP = { removeOnComplete: { age: 3600, count: 1000 }, removeOnFail: { age: 7 * 86_400 } };

/** BullMQ takes lower numbers first. None would run before all others, so every job has one. */
const PRIORITY = { high: 10, normal: 20, low: 30 } as const;
type Priority = keyof typeof PRIORITY;

const STATES: Readonly<Record<string, QueuedState>> = {
  waiting: 'waiting',
  'waiting-children': 'waiting',
  prioritized: 'waiting',
  delayed: 'waiting',
  active: 'active',
  completed: 'finished',
  failed: 'failed',
};

/** Between tries that ended by an error of our own, such as a Redis that was away. */
const UNEXPECTED_MS = 5000;

export type OnError = (error: Error) => void;

/** The queues that workers read: one per pool. */
export class PoolQueues {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #onError: OnError;
  readonly #queues = new Map<string, Promise<Queue>>();

  /** @param redis a connection that fails at once while Redis is away: nobody may hang on it */
  constructor(redis: Redis, prefix: string, onError: OnError) {
    this.#redis = redis;
    this.#prefix = queuePrefix(prefix);
    this.#onError = onError;
  }

  /** The same queue id again changes nothing. */
  async add(pool: string, id: string, queueId: string, priority: Priority): Promise<void> {
    const options = { jobId: queueId, priority: PRIORITY[priority] };
    await (await this.#open(pool)).add('compress', { job: id }, options);
  }

  /** Take a waiting one out. @returns false where it was not waiting */
  async remove(pool: string, queueId: string): Promise<boolean> {
    if ((await this.state(pool, queueId)) !== 'waiting') return false;
    return (await (await this.#open(pool)).remove(queueId).catch(() => 0)) === 1;
  }

  async state(pool: string, queueId: string): Promise<QueuedState> {
    return STATES[await (await this.#open(pool)).getJobState(queueId)] ?? 'missing';
  }

  async close(): Promise<void> {
    for (const queue of this.#queues.values()) await (await queue.catch(() => undefined))?.close();
  }

  /**
   * A BullMQ queue asks Redis for its version once, as it is made, and is useless for ever where that fails: so it is
   * made when it is first needed, and made again where that went wrong.
   *
   * @throws Error the connection is not there now
   */
  #open(pool: string): Promise<Queue> {
    const known = this.#queues.get(pool);
    if (known) return known;
    const made = this.#make(pool).catch((error) => {
      this.#queues.delete(pool);
      throw error;
    });
    this.#queues.set(pool, made);
    return made;
  }

  async #make(pool: string): Promise<Queue> {
    await this.#redis.ping();
    const queue = new Queue(pool, {
      connection: this.#redis,
      prefix: this.#prefix,
      skipWaitingForReady: true,
      defaultJobOptions: { ...KEEP, attempts: 1 },
    });
    queue.on('error', this.#onError);
    await queue.waitUntilReady();
    return queue;
  }
}

export interface Closable {
  close(): Promise<void>;
}

/**
 * Run `work` at once and then at an interval, in one process at a time however many there are (a BullMQ job
 * scheduler). A run that throws is told to `onError`; the next one comes all the same.
 *
 * @param redis a `steady` connection
 */
export function everySoOften(
  redis: Redis,
  prefix: string,
  milliseconds: number,
  work: () => Promise<void>,
  onError: OnError,
): Closable {
  const options = { connection: redis, prefix: queuePrefix(prefix) };
  const queue = new Queue(UPKEEP_QUEUE, options);
  queue.on('error', onError);
  const worker = new Worker(UPKEEP_QUEUE, () => work(), {
    ...options,
    removeOnComplete: { count: 5 },
    removeOnFail: { count: 20 },
  });
  worker.on('error', onError).on('failed', (_job: Job | undefined, error) => onError(error));
  const started = startSchedule(queue, milliseconds).catch(onError);
  return {
    async close() {
      await started;
      await worker.close();
      await queue.close();
    },
  };
}

/** A fixed name: another process that does the same changes nothing. The one run at start-up is extra. */
async function startSchedule(queue: Queue, milliseconds: number): Promise<void> {
  const once = { removeOnComplete: true, removeOnFail: true };
  await queue.upsertJobScheduler('upkeep', { every: milliseconds }, { name: 'upkeep' });
  await queue.add('upkeep', {}, { ...once, jobId: 'start-up' });
}

/** How a try came out: again after so many milliseconds (if tries are left), or never again. */
export type Tried =
  | 'done'
  | { readonly again: string; readonly after: number }
  | { readonly never: string };

export interface RetriedWork<T> {
  /** Part of the queue's keys. */
  readonly name: string;
  /** Tries in all. */
  readonly tries: number;
  readonly concurrency: number;
  /** @param failures tries of it that have failed before */
  readonly work: (data: T, failures: number) => Promise<Tried>;
}

export interface RetriedQueue<T> extends Closable {
  /** The same id again changes nothing. */
  add(id: string, data: T): Promise<void>;
}

class TryAgain extends Error {
  readonly after: number;

  constructor(why: string, after: number) {
    super(why);
    this.after = after;
  }
}

/**
 * Small work that is tried until it succeeds or its tries are used up, by any of the processes that do the same.
 *
 * @param redis a `steady` connection
 */
export function retried<T>(
  redis: Redis,
  prefix: string,
  { name, tries, concurrency, work }: RetriedWork<T>,
  onError: OnError,
): RetriedQueue<T> {
  const options = { connection: redis, prefix: queuePrefix(prefix) };
  const job = { ...KEEP, attempts: tries, backoff: { type: 'custom' } };
  const queue = new Queue(name, { ...options, defaultJobOptions: job });
  queue.on('error', onError);
  const process = async ({ data, attemptsMade }: Job) => {
    const tried = await work(data as T, attemptsMade);
    if (tried === 'done') return;
    if ('never' in tried) throw new UnrecoverableError(tried.never);
    throw new TryAgain(tried.again, tried.after);
  };
  const settings = {
    backoffStrategy: (_tries: number, _type?: string, error?: Error) =>
      error instanceof TryAgain ? error.after : UNEXPECTED_MS,
  };
  const worker = new Worker(name, process, { ...options, concurrency, settings });
  worker.on('error', onError);
  return {
    async add(id, data) {
      await queue.add(name, data, { jobId: id });
    },
    async close() {
      await worker.close();
      await queue.close();
    },
  };
}
