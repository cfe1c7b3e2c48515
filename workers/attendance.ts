/** @file A worker among others: it says that it lives, and does what is wanted of it. */

import { hostname } from 'node:os';

import type { Abilities } from '../src/contract/requires.ts';
import type { Redis } from '../src/records/redis.ts';
import { BEAT_MS, type Duty, type WorkerRecord, Workers } from '../src/records/workers.ts';

export interface AttendanceOptions {
  readonly redis: Redis;
  /** May do nothing but subscribe; others listen on it too. */
  readonly subscriber: Redis;
  readonly prefix: string;
  readonly about: Pick<WorkerRecord, keyof Abilities | 'concurrency' | 'version'>;
  /** Jobs at work now. */
  running(): number;
  /** Something else is wanted from now on. */
  onDuty(duty: Duty): Promise<void>;
  /** Others know of it now: it may be given jobs. */
  onSeen(): Promise<void>;
  onError(error: Error): void;
}

export class Attendance {
  readonly #options: AttendanceOptions;
  readonly #workers: Workers;
  readonly #id = `${hostname()}-${process.pid}`;
  readonly #startedAt = new Date().toISOString();
  readonly #timer: NodeJS.Timeout;
  #duty: Duty = 'working';

  constructor(options: AttendanceOptions) {
    const { redis, subscriber, prefix, onError } = options;
    this.#options = options;
    this.#workers = new Workers(redis, prefix);
    const { changed } = this.#workers;
    subscriber.on('message', (channel, id: string) => {
      if (channel === changed && id === this.#id) this.beat();
    });
    void subscriber.subscribe(changed).catch(onError);
    redis.on('ready', () => this.beat());
    this.#timer = setInterval(() => this.beat(), BEAT_MS);
  }

  /** Say that this worker lives, what it can do and what it is doing; hear what is wanted. */
  beat(): void {
    const { redis, onError } = this.#options;
    if (redis.status === 'ready') this.#beat().catch(onError);
  }

  async leave(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#options.redis.status === 'ready') await this.#workers.leave(this.#id);
  }

  async #beat(): Promise<void> {
    const { about, running, onDuty, onSeen } = this.#options;
    const wanted = await this.#workers.wanted(this.#id);
    if (wanted !== this.#duty && this.#duty !== 'draining') {
      this.#duty = wanted;
      await onDuty(wanted);
    }
    const startedAt = this.#startedAt;
    const record = { id: this.#id, ...about, running: running(), duty: this.#duty, startedAt };
    await this.#workers.beat(record);
    await onSeen();
  }
}
