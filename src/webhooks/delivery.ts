/** @file The deliveries: from the outbox to the queue, and from the queue to whoever wants to hear. */

import type { Redis } from 'ioredis';

import type { Closable, OnError, RetriedQueue, Tried } from '../queue/bullmq.ts';
import { retried } from '../queue/bullmq.ts';
import { Deliveries, newDelivery, withTry } from '../records/deliveries.ts';
import { type EndpointRecord, Endpoints } from '../records/endpoints.ts';
import { count, counted } from '../records/figures.ts';
import type { Jobs } from '../records/jobs.ts';
import type { WebhookMessage } from '../records/webhook-message.ts';
import { NO_TRACES, type Traces } from '../traces/traces.ts';
import { Outbox } from './outbox.ts';
import { PATIENCE_MS, RETRY_AFTER, retryDelay } from './schedule.ts';
import type { SigningSecrets } from './secrets.ts';
import { GONE, type Sender, type SendResult } from './send.ts';

const AT_ONCE = 8;

export interface DeliveryOptions {
  readonly jobs: Jobs;
  readonly prefix: string;
  /** `steady` connections: one to work with, and one that only waits for messages. */
  readonly redis: Redis;
  readonly waiting: Redis;
  /** Milliseconds after that many failures; default: the schedule of Standard Webhooks. */
  readonly delay?: (failures: number) => number;
  /** Milliseconds without a success after which an endpoint is disabled; default: five days. */
  readonly patience?: number;
  readonly traces?: Traces;
  readonly onError: OnError;
}

/** One message for one receiver: a job's own webhook, or an endpoint. */
interface Addressed {
  readonly message: WebhookMessage;
  /** Null: the webhook of the job's spec. */
  readonly endpoint: string | null;
}

export class Delivery implements Closable {
  readonly #options: DeliveryOptions;
  readonly #secrets: SigningSecrets;
  readonly #sender: Sender;
  readonly #endpoints: Endpoints;
  readonly #log: Deliveries;
  readonly #queue: RetriedQueue<Addressed>;
  readonly #outbox: Outbox;
  readonly #running: Promise<void>;

  /** Starts at once, with retries that outlive this process. */
  constructor(options: DeliveryOptions, secrets: SigningSecrets, sender: Sender) {
    const { redis, prefix, jobs, onError } = options;
    this.#options = options;
    this.#secrets = secrets;
    this.#sender = sender;
    this.#endpoints = new Endpoints(redis, jobs.keys);
    this.#log = new Deliveries(redis, jobs.keys);
    const work = {
      name: 'deliveries',
      tries: 1 + RETRY_AFTER.length,
      concurrency: AT_ONCE,
      work: (addressed: Addressed, failures: number) => this.#try(addressed, failures),
    };
    this.#queue = retried(redis, prefix, work, onError);
    this.#outbox = new Outbox(options.waiting, jobs.keys.outbox);
    this.#running = this.#outbox.run((message) => this.#address(message), onError);
  }

  /** Messages under way end, the others wait for the next process. */
  async close(): Promise<void> {
    this.#outbox.close();
    await this.#running;
    await this.#queue.close();
    await this.#sender.close();
  }

  /** Put a message on the queue once for each who wants it. Again for the same message: changes nothing. */
  async #address(message: WebhookMessage): Promise<void> {
    if (message.own) await this.#queue.add(message.id, { message, endpoint: null });
    for (const { id } of await this.#listeners(message)) {
      const round = message.only?.round ?? 1;
      if (round === 1) await this.#log.add(id, newDelivery(message));
      await this.#queue.add(`${message.id}_${id}_${round}`, { message, endpoint: id });
    }
  }

  async #listeners({ tenant, type, at, only }: WebhookMessage): Promise<EndpointRecord[]> {
    const all = await this.#endpoints.list(tenant);
    if (only) return all.filter(({ id }) => id === only.endpoint);
    return all.filter(
      ({ events, disabledReason, createdAt }) =>
        disabledReason === null && createdAt <= at && (events as string[]).includes(type),
    );
  }

  async #try({ message, endpoint }: Addressed, failures: number): Promise<Tried> {
    const { redis, prefix, traces = NO_TRACES } = this.#options;
    const attributes = { 'lathe.event': message.type, 'lathe.message': message.id };
    const kind = 'client' as const;
    const span = traces.span('webhook', message.trace ?? undefined, { kind, attributes });
    const traced = { ...message, trace: span.traceparent ?? null };
    const tried = await (endpoint === null
      ? this.#tryJob(traced, failures)
      : this.#tryEndpoint(traced, endpoint, failures));
    const outcome = outcomeOf(tried);
    span.end({ 'lathe.outcome': outcome }, tried === 'done' ? undefined : outcome);
    const step = counted('lathe_webhook_tries_total', { outcome });
    await count(redis, prefix, step).catch(() => undefined); // it was sent all the same
    return tried;
  }

  /** Address and secret are looked up now: neither lies in the queue. */
  async #tryJob({ id, job: jobId, body, trace }: WebhookMessage, failures: number): Promise<Tried> {
    const job = jobId === null ? undefined : await this.#options.jobs.find(jobId);
    if (!job?.webhook) return { never: 'the job is gone' };
    const { url } = job.webhook;
    const secrets = await this.#secrets.ofJob(job);
    return this.#judged(await this.#sender.send({ id, url, secrets, body, trace }), failures);
  }

  async #tryEndpoint(message: WebhookMessage, id: string, failures: number): Promise<Tried> {
    const { tenant, body, trace } = message;
    const endpoint = await this.#endpoints.get(tenant, id);
    if (!endpoint) return { never: 'the webhook is gone' };
    if (endpoint.disabledReason !== null) {
      await this.#log.change(id, message.id, () => ({ status: 'failed', nextTryAt: null }));
      return { never: `the webhook is disabled: ${endpoint.disabledReason}` };
    }
    const secrets = this.#secrets.ofEndpoint(endpoint);
    const at = new Date();
    const result = await this.#sender.send({
      id: message.id,
      url: endpoint.url,
      secrets,
      body,
      trace,
    });
    const tried = this.#judged(result, failures);
    await this.#keepTry(message, id, result, tried, at);
    await this.#keepHealth(tenant, endpoint, result, at);
    return tried;
  }

  #judged({ ok, status, why }: SendResult, failures: number): Tried {
    if (ok) return 'done';
    if (status === GONE || failures >= RETRY_AFTER.length) return { never: why ?? '' };
    const { delay = retryDelay } = this.#options;
    return { again: why ?? '', after: delay(failures + 1) };
  }

  async #keepTry(
    message: WebhookMessage,
    endpoint: string,
    { status, why }: SendResult,
    tried: Tried,
    at: Date,
  ): Promise<void> {
    const after = tried !== 'done' && 'again' in tried ? tried.after : undefined;
    const nextTryAt = after === undefined ? null : new Date(Date.now() + after).toISOString();
    const one = {
      at: at.toISOString(),
      status,
      milliseconds: Math.max(0, Date.now() - at.getTime()),
      error: why,
    };
    await this.#log.change(endpoint, message.id, ({ tries }) => ({
      status: tried === 'done' ? 'delivered' : nextTryAt === null ? 'failed' : 'pending',
      tries: withTry(tries, one),
      nextTryAt,
    }));
  }

  /** 410 disables at once; failures disable when there has been no success for days. */
  async #keepHealth(
    tenant: string,
    { id, failingSince }: EndpointRecord,
    { ok, status }: SendResult,
    at: Date,
  ): Promise<void> {
    if (ok && failingSince === null) return;
    const { patience = PATIENCE_MS } = this.#options;
    await this.#endpoints.change(tenant, id, (now) => {
      if (ok) return { failingSince: null };
      const since = now.failingSince ?? at.toISOString();
      const lost = Date.now() - Date.parse(since) >= patience;
      const why = status === GONE ? 'it answered 410' : `nothing has arrived since ${since}`;
      const disabledReason = status === GONE || lost ? why : now.disabledReason;
      return { failingSince: since, disabledReason };
    });
  }
}

const outcomeOf = (tried: Tried): 'delivered' | 'again' | 'failed' =>
  tried === 'done' ? 'delivered' : 'again' in tried ? 'again' : 'failed';
