/** @file Webhooks as a whole, in the API process: what routes ask of them, and the deliveries. */

import type { Redis } from 'ioredis';

import { type OnError, type RetriedQueue, retried, type Tried } from '../queue/bullmq.ts';
import type { Jobs } from '../records/jobs.ts';
import type { WebhookMessage } from '../records/webhook-message.ts';
import { checkTarget } from './addresses.ts';
import { Outbox } from './outbox.ts';
import { RETRY_AFTER, retryDelay } from './schedule.ts';
import type { Seal } from './seal.ts';
import { SigningSecrets } from './secrets.ts';
import { Sender } from './send.ts';

const AT_ONCE = 8;

export interface WebhookOptions {
  readonly jobs: Jobs;
  /** For routes: fails at once while Redis is away. */
  readonly redis: Redis;
  readonly seal: Seal;
  readonly allowPrivate: boolean;
}

export interface DeliveryOptions {
  readonly jobs: Jobs;
  readonly prefix: string;
  /** `steady` connections: one to work with, and one that only waits for messages. */
  readonly redis: Redis;
  readonly waiting: Redis;
  /** Milliseconds after that many failures; default: the schedule of Standard Webhooks. */
  readonly delay?: (failures: number) => number;
  readonly onError: OnError;
}

export class Webhooks {
  readonly #secrets: SigningSecrets;
  readonly #seal: Seal;
  readonly #allowPrivate: boolean;

  constructor({ jobs, redis, seal, allowPrivate }: WebhookOptions) {
    this.#secrets = new SigningSecrets(redis, jobs, seal);
    this.#seal = seal;
    this.#allowPrivate = allowPrivate;
  }

  /** @throws WEBHOOK_TARGET_REFUSED */
  check(url: string): Promise<void> {
    return checkTarget(url, this.#allowPrivate);
  }

  /** As `Jobs.create` takes it. */
  seal(secret: string): string {
    return this.#seal.seal(secret);
  }

  secretOf(tenant: string): Promise<string> {
    return this.#secrets.ofTenant(tenant);
  }

  /**
   * Deliver what the outbox holds, with retries that outlive this process.
   *
   * @returns how to stop: messages under way end, the others wait for the next process
   */
  deliver({ jobs, prefix, redis, waiting, delay, onError }: DeliveryOptions): {
    close(): Promise<void>;
  } {
    const sender = new Sender(this.#allowPrivate);
    const queue: RetriedQueue<WebhookMessage> = retried(
      redis,
      prefix,
      {
        name: 'deliveries',
        tries: 1 + RETRY_AFTER.length,
        delay: delay ?? retryDelay,
        concurrency: AT_ONCE,
        work: (message) => this.#try(message, jobs, sender),
      },
      onError,
    );
    const outbox = new Outbox(waiting, jobs.keys.outbox);
    const running = outbox.run((message) => queue.add(message.id, message), onError);
    return {
      async close() {
        outbox.close();
        await running;
        await queue.close();
        await sender.close();
      },
    };
  }

  /** Address and secret are looked up now: neither lies in the queue. */
  async #try({ id, job: jobId, body }: WebhookMessage, jobs: Jobs, sender: Sender): Promise<Tried> {
    const job = await jobs.find(jobId);
    if (!job?.webhook) return { never: 'the job is gone' };
    const secret = await this.#secrets.ofJob(job);
    const result = await sender.send({ id, url: job.webhook.url, secret, body });
    if (result.ok) return 'done';
    return result.gone ? { never: result.why } : { again: result.why };
  }
}
