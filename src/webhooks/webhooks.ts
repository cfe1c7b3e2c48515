/** @file What routes ask of webhooks: addresses checked, endpoints kept, secrets made, messages sent again. */

import { randomUUID } from 'node:crypto';

import type { Redis } from 'ioredis';

import { ServiceError } from '../contract/errors.ts';
import { newWebhookId } from '../contract/ids.ts';
import { WEBHOOK_DEFAULTS } from '../contract/job.ts';
import type { SweepView } from '../contract/sweep.ts';
import {
  type NewSecret,
  type NewWebhook,
  TEST_EVENT,
  type WebhookChange,
} from '../contract/webhook.ts';
import { checkTarget } from '../egress/addresses.ts';
import { Deliveries, type DeliveryRecord, newDelivery } from '../records/deliveries.ts';
import { type EndpointRecord, Endpoints, MOST_ENDPOINTS } from '../records/endpoints.ts';
import type { Jobs } from '../records/jobs.ts';
import type { Page } from '../records/page.ts';
import { sweepMessage, type WebhookMessage } from '../records/webhook-message.ts';
import type { Seal } from '../secrets/seal.ts';
import { Delivery, type DeliveryOptions } from './delivery.ts';
import { SigningSecrets } from './secrets.ts';
import { Sender } from './send.ts';

export interface WebhookOptions {
  readonly jobs: Jobs;
  /** For routes: fails at once while Redis is away. */
  readonly redis: Redis;
  readonly seal: Seal;
  readonly allowPrivate: boolean;
}

export class Webhooks {
  readonly #redis: Redis;
  readonly #jobs: Jobs;
  readonly #secrets: SigningSecrets;
  readonly #seal: Seal;
  readonly #allowPrivate: boolean;
  readonly #endpoints: Endpoints;
  readonly #log: Deliveries;

  constructor({ jobs, redis, seal, allowPrivate }: WebhookOptions) {
    this.#redis = redis;
    this.#jobs = jobs;
    this.#secrets = new SigningSecrets(redis, jobs, seal);
    this.#seal = seal;
    this.#allowPrivate = allowPrivate;
    this.#endpoints = new Endpoints(redis, jobs.keys);
    this.#log = new Deliveries(redis, jobs.keys);
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

  rotateSecretOf(tenant: string): Promise<NewSecret> {
    return this.#secrets.rotateTenant(tenant);
  }

  /** Deliver what the outbox holds, from now on. */
  deliver(options: DeliveryOptions): Delivery {
    return new Delivery(options, this.#secrets, new Sender(this.#allowPrivate));
  }

  /** @throws WEBHOOK_TARGET_REFUSED · TOO_MANY_WEBHOOKS */
  async register(
    tenant: string,
    { url, events = [...WEBHOOK_DEFAULTS], description }: NewWebhook,
  ): Promise<{ readonly endpoint: EndpointRecord; readonly secret: string }> {
    await this.check(url);
    const { shown, kept } = this.#secrets.forEndpoint();
    const endpoint: EndpointRecord = {
      id: newWebhookId(),
      url,
      events,
      description: description ?? null,
      disabledReason: null,
      failingSince: null,
      createdAt: new Date().toISOString(),
      ...kept,
    };
    if (!(await this.#endpoints.add(tenant, endpoint)))
      throw new ServiceError('TOO_MANY_WEBHOOKS', { limit: MOST_ENDPOINTS });
    return { endpoint, secret: shown.secret };
  }

  list(tenant: string): Promise<EndpointRecord[]> {
    return this.#endpoints.list(tenant);
  }

  /** @throws WEBHOOK_NOT_FOUND */
  async get(tenant: string, id: string): Promise<EndpointRecord> {
    return found(await this.#endpoints.get(tenant, id), id);
  }

  /** Enabling forgets how long it has failed. @throws WEBHOOK_NOT_FOUND · WEBHOOK_TARGET_REFUSED */
  async change(
    tenant: string,
    id: string,
    { enabled, ...set }: WebhookChange,
  ): Promise<EndpointRecord> {
    await this.get(tenant, id);
    if (set.url !== undefined) await this.check(set.url);
    const changed = await this.#endpoints.change(tenant, id, ({ disabledReason }) => ({
      ...set,
      ...(enabled === true && { disabledReason: null, failingSince: null }),
      ...(enabled === false && { disabledReason: disabledReason ?? 'by request' }),
    }));
    return found(changed, id);
  }

  /** @throws WEBHOOK_NOT_FOUND */
  async remove(tenant: string, id: string): Promise<void> {
    if (!(await this.#endpoints.remove(tenant, id)))
      throw new ServiceError('WEBHOOK_NOT_FOUND', { id });
    await this.#log.remove(id);
  }

  /** A new signing secret; the one before signs too for a day. @throws WEBHOOK_NOT_FOUND */
  async rotate(tenant: string, id: string): Promise<NewSecret> {
    let shown: NewSecret | undefined;
    const changed = await this.#endpoints.change(tenant, id, (now) => {
      const made = this.#secrets.forEndpoint(now);
      shown = made.shown;
      return made.kept;
    });
    found(changed, id);
    return shown!;
  }

  /** Send a test event. @throws WEBHOOK_NOT_FOUND · WEBHOOK_DISABLED */
  async test(tenant: string, id: string): Promise<DeliveryRecord> {
    enabled(await this.get(tenant, id));
    const at = new Date().toISOString();
    const body = JSON.stringify({ type: TEST_EVENT, timestamp: at, data: { webhook: id } });
    const message: WebhookMessage = {
      id: `msg_test_${randomUUID().replaceAll('-', '')}`,
      tenant,
      job: null,
      type: TEST_EVENT,
      at,
      body,
      own: false,
      only: { endpoint: id, round: 1 },
    };
    const delivery = newDelivery(message);
    await this.#log.add(id, delivery);
    await this.#send(message);
    return delivery;
  }

  /** Tell endpoints that a sweep has ended. */
  async tellSweep(tenant: string, view: SweepView): Promise<void> {
    await this.#send(sweepMessage(tenant, view));
  }

  /** The delivery log, newest first. @throws WEBHOOK_NOT_FOUND */
  async deliveries(
    tenant: string,
    id: string,
    limit: number,
    cursor?: string,
  ): Promise<Page<DeliveryRecord>> {
    await this.get(tenant, id);
    return this.#log.list(id, limit, cursor);
  }

  /** @throws WEBHOOK_NOT_FOUND · DELIVERY_NOT_FOUND */
  async delivery(tenant: string, id: string, delivery: string): Promise<DeliveryRecord> {
    await this.get(tenant, id);
    const record = await this.#log.get(id, delivery);
    if (!record) throw new ServiceError('DELIVERY_NOT_FOUND', { id: delivery, webhook: id });
    return record;
  }

  /** The same message again, with a schedule of its own. @throws WEBHOOK_NOT_FOUND · DELIVERY_NOT_FOUND · WEBHOOK_DISABLED */
  async redeliver(tenant: string, id: string, delivery: string): Promise<DeliveryRecord> {
    await this.delivery(tenant, id, delivery);
    enabled(await this.get(tenant, id));
    const next = await this.#log.change(id, delivery, ({ round }) => ({
      status: 'pending',
      nextTryAt: new Date().toISOString(),
      round: round + 1,
    }));
    if (!next) throw new ServiceError('DELIVERY_NOT_FOUND', { id: delivery, webhook: id });
    const { type, job, createdAt: at, body, round } = next;
    const only = { endpoint: id, round };
    await this.#send({ id: delivery, tenant, job, type, at, body, own: false, only });
    return next;
  }

  /** By the outbox, as everything else: it waits there while no process delivers. */
  async #send(message: WebhookMessage): Promise<void> {
    await this.#redis.xadd(this.#jobs.keys.outbox, '*', 'message', JSON.stringify(message));
  }
}

function found(endpoint: EndpointRecord | undefined, id: string): EndpointRecord {
  if (!endpoint) throw new ServiceError('WEBHOOK_NOT_FOUND', { id });
  return endpoint;
}

function enabled({ id, disabledReason: why }: EndpointRecord): void {
  if (why !== null) throw new ServiceError('WEBHOOK_DISABLED', { id, why });
}
