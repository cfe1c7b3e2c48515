/** @file Batches in step order, prepared ahead by threads into a bounded ring of memory. */

import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { type ErrorCode, type Facts, ServiceError } from '../../../src/contract/errors.ts';
import type { Answer, BatchPlan, Failure, Order, TrainBatch } from './messages.ts';

// The same extension as this file's own: .ts in a checkout, .js in the package.
const PROGRAM = join(import.meta.dirname, `thread${import.meta.filename.slice(-3)}`);

export interface StreamOptions {
  readonly threads: number;
  /** Batches ordered and not yet taken. */
  readonly ahead: number;
  readonly start: number;
  readonly signal: AbortSignal;
}

export class ThreadedStream {
  readonly #threads: readonly Worker[];
  readonly #ready = new Map<number, Answer>();
  readonly #free: ArrayBuffer[] = [];
  readonly #signal: AbortSignal;
  #ordered: number;
  #next: number;
  #taken: ArrayBuffer | undefined;
  #failed: Error | undefined;
  #waiting: (() => void) | undefined;
  #waited = 0;
  #closed = false;

  constructor(plan: BatchPlan, { threads, ahead, start, signal }: StreamOptions) {
    this.#signal = signal;
    this.#ordered = this.#next = start;
    this.#threads = Array.from({ length: threads }, () => this.#thread(plan));
    signal.addEventListener('abort', this.#stop, { once: true });
    for (let i = 0; i < ahead; i++) this.#order();
  }

  /** Seconds that callers of `next` have waited in all. */
  get waitedSeconds(): number {
    return this.#waited;
  }

  /**
   * The next step's batch. Calling again gives the images' memory back: they are empty then.
   *
   * @throws the signal's reason · IMAGE_UNREADABLE · DATA_THREAD_DIED
   */
  async next(): Promise<TrainBatch> {
    if (this.#taken) this.#free.push(this.#taken);
    this.#taken = undefined;
    const answer = await this.#answer();
    this.#ready.delete(this.#next++);
    if ('failure' in answer) throw this.#fail(thrown(answer.failure));
    this.#order();
    this.#taken = answer.batch.images.buffer;
    return answer.batch;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#signal.removeEventListener('abort', this.#stop);
    this.#wake();
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  async #answer(): Promise<Answer> {
    const begun = performance.now();
    for (;;) {
      this.#signal.throwIfAborted();
      const answer = this.#ready.get(this.#next);
      if (answer !== undefined) {
        this.#waited += (performance.now() - begun) / 1000;
        return answer;
      }
      if (this.#closed) throw ended('it was closed');
      if (this.#failed) throw this.#failed;
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  #order(): void {
    const step = this.#ordered++;
    const memory = this.#free.pop();
    const order: Order = { step, memory };
    this.#threads[step % this.#threads.length]!.postMessage(order, memory ? [memory] : []);
  }

  #thread(plan: BatchPlan): Worker {
    const thread = new Worker(PROGRAM, { workerData: plan });
    thread.on('message', (answer: Answer) => {
      this.#ready.set(answer.step, answer);
      this.#wake();
    });
    thread.on('error', (cause) => this.#fail(ended(cause.message)));
    thread.on('exit', (code) => this.#fail(ended(`exit code ${code}`)));
    return thread;
  }

  /** The first failure stays the answer to every later call. */
  #fail(error: Error): Error {
    this.#failed ??= error;
    this.#wake();
    return this.#failed;
  }

  #wake(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }

  readonly #stop = (): void => void this.close();
}

const ended = (how: string) => new ServiceError('DATA_THREAD_DIED', { how });

function thrown({ code, facts, message }: Failure): Error {
  if (code === undefined) return new ServiceError('INTERNAL', { what: message });
  return new ServiceError(code as ErrorCode, facts as Facts<ErrorCode>);
}
