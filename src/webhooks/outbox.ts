/** @file The outbox stream: what changes of jobs have to tell, until it is on the delivery queue. */

import { randomUUID } from 'node:crypto';

import type { Redis } from 'ioredis';

import type { WebhookMessage } from '../records/webhook-message.ts';

const GROUP = 'webhooks';
const BATCH = 50;
const BLOCK_MS = 2000;
/** Entries that another process took and did not pass on within this time are taken over. */
const ABANDONED_MS = 30_000;

type Entry = [id: string, fields: string[]];

/** Any number of processes read one outbox: each message goes to one of them, and to another where that one dies. */
export class Outbox {
  readonly #redis: Redis;
  readonly #stream: string;
  readonly #consumer = randomUUID();
  #open = true;

  /** @param redis a `steady` connection of its own: it blocks */
  constructor(redis: Redis, stream: string) {
    this.#redis = redis;
    this.#stream = stream;
  }

  /** Pass messages on, until `close`. A message leaves the stream only after `pass` has ended well. */
  async run(
    pass: (message: WebhookMessage) => Promise<void>,
    onError: (error: Error) => void,
  ): Promise<void> {
    while (this.#open) {
      try {
        await this.#makeGroup();
        for (const entry of [...(await this.#abandoned()), ...(await this.#fresh())])
          await this.#pass(entry, pass);
      } catch (error) {
        if (!this.#open) return;
        onError(error as Error);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  close(): void {
    this.#open = false;
    this.#redis.disconnect();
  }

  async #makeGroup(): Promise<void> {
    await this.#redis
      .xgroup('CREATE', this.#stream, GROUP, '0', 'MKSTREAM')
      .catch((error: Error) => {
        if (!error.message.startsWith('BUSYGROUP')) throw error;
      });
  }

  async #abandoned(): Promise<Entry[]> {
    const stream = this.#stream;
    const answer = await this.#redis.xautoclaim(stream, GROUP, this.#consumer, ABANDONED_MS, '0');
    return (answer[1] as Entry[]).filter((entry) => entry?.[1]);
  }

  async #fresh(): Promise<Entry[]> {
    const answer = (await this.#redis.xreadgroup(
      'GROUP',
      GROUP,
      this.#consumer,
      'COUNT',
      BATCH,
      'BLOCK',
      BLOCK_MS,
      'STREAMS',
      this.#stream,
      '>',
    )) as [string, Entry[]][] | null;
    return answer?.[0]?.[1] ?? [];
  }

  async #pass(
    [id, fields]: Entry,
    pass: (message: WebhookMessage) => Promise<void>,
  ): Promise<void> {
    await pass(JSON.parse(fields[1]!) as WebhookMessage);
    await this.#redis.multi().xack(this.#stream, GROUP, id).xdel(this.#stream, id).exec();
  }
}
