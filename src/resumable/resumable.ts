/** @file Uploads that resume: begun, continued, completed into models and data sets, and swept when their time is up. */

import { setTimeout as sleep } from 'node:timers/promises';

import { ServiceError } from '../contract/errors.ts';
import { newUploadId } from '../contract/ids.ts';
import type { NewDirectUpload } from '../contract/transfer.ts';
import { type IntakeNeeds, takeDataset, takeModel } from '../intake/take.ts';
import { Lease } from '../records/lease.ts';
import type { Redis } from '../records/redis.ts';
import { faultOf, OVER, type TransferRecord } from '../records/transfers.ts';
import type { DirectPart } from '../storage/partial-files.ts';
import type { RedisLocker } from './locker.ts';
import { answerTus, idOf, type TusRequest } from './tus.ts';
import { expiryOf } from './upload-record.ts';
import { beginUpload, type UploadStoreNeeds } from './upload-store.ts';

export interface ResumableNeeds extends UploadStoreNeeds, IntakeNeeds {
  readonly redis: Redis;
  readonly prefix: string;
  readonly locker: RedisLocker;
  /** Aborted when the server is about to stop: what is being looked into is left to another one. */
  readonly closing: AbortSignal;
  readonly onError: (error: Error) => void;
}

/** A request waits so long for its upload to be inspected; then it is answered, and the record tells the rest. */
const PATIENCE_MS = 30_000;

/** What has ended is shown so long. */
const SHOWN_HOURS = 24;

/** Addresses of direct uploads are valid so long. */
const DIRECT_S = 12 * 3600;

/** An upload that is being inspected by nobody for so long is taken up by whoever sweeps. */
const ABANDONED_MS = 60_000;

export class Resumable {
  readonly #needs: ResumableNeeds;
  readonly #working = new Set<Promise<unknown>>();

  constructor(needs: ResumableNeeds) {
    this.#needs = needs;
  }

  get(tenant: string, id: string): Promise<TransferRecord | undefined> {
    return this.#needs.transfers.get(tenant, id);
  }

  /** Newest first. */
  list(tenant: string): Promise<TransferRecord[]> {
    return this.#needs.transfers.list(tenant);
  }

  /** One request of the tus protocol. @throws what the answer would have told of, with a code of ours */
  async tus(request: Omit<TusRequest, 'newId'>): Promise<Response> {
    const needs = {
      ...this.#needs,
      onComplete: (tenant: string, id: string) => this.complete(tenant, id),
    };
    try {
      return await answerTus(needs, { ...request, newId: newUploadId() });
    } catch (error) {
      throw await this.#withOffset(error, request);
    }
  }

  /** An upload whose bytes go past this server where the storage permits. @throws PAYLOAD_TOO_LARGE · TOO_MANY_UPLOADS */
  async beginDirect(
    tenant: string,
    given: NewDirectUpload,
  ): Promise<{
    readonly record: TransferRecord;
    readonly parts: readonly DirectPart[] | undefined;
    readonly validUntil: string;
  }> {
    const { kind, bytes } = given;
    const [sha256, name] = [given.sha256 ?? null, given.name ?? null];
    const begun = { id: newUploadId(), tenant, kind, name, sha256, length: bytes };
    const record = await beginUpload(this.#needs, begun);
    const parts = await this.#needs.partials.direct(record.id, bytes, DIRECT_S);
    const validUntil = parts ? expiryOf(DIRECT_S / 3600) : record.expiresAt;
    return { record, parts, validUntil };
  }

  /** All parts of a direct upload are said to be there. @throws UPLOAD_NOT_FOUND · UPLOAD_NOT_COMPLETE, and as `complete` */
  async completeDirect(tenant: string, id: string): Promise<TransferRecord> {
    const { transfers, partials } = this.#needs;
    const record = await transfers.get(tenant, id);
    if (!record) throw new ServiceError('UPLOAD_NOT_FOUND', { id });
    if (record.status === 'receiving') {
      const has = await partials.size(id);
      const length = record.length ?? Number.POSITIVE_INFINITY;
      if (has !== length) throw new ServiceError('UPLOAD_NOT_COMPLETE', { id, has, length });
      await transfers.change(tenant, id, () => ({ offset: has }));
    }
    return this.complete(tenant, id);
  }

  /**
   * All bytes are here: make a model or data set of them, as a direct upload does. Waits some time for it; who asks
   * meanwhile sees `inspecting`. The same upload again changes nothing.
   *
   * @throws what inspection finds wrong
   */
  async complete(tenant: string, id: string): Promise<TransferRecord> {
    const work = this.#finish(tenant, id);
    this.#working.add(work);
    const done = () => void this.#working.delete(work);
    work.then(done, done);
    const late = sleep(PATIENCE_MS, undefined, { ref: false });
    const record =
      (await Promise.race([work, late])) ?? (await this.#needs.transfers.get(tenant, id));
    if (!record) throw new ServiceError('UPLOAD_NOT_FOUND', { id });
    return record;
  }

  /** Give an upload up. @returns whether it was there */
  async remove(tenant: string, id: string): Promise<boolean> {
    const there = await this.#needs.transfers.remove(tenant, id);
    await this.#needs.partials.remove(id);
    return there;
  }

  /** Forget what has expired, and take up what a server that died has left to be inspected. */
  async sweep(now = Date.now()): Promise<void> {
    const { transfers } = this.#needs;
    for (const { tenant, id } of await transfers.expired(now)) await this.remove(tenant, id);
    for (const { tenant, id, status, changedAt } of await transfers.all()) {
      if (status === 'inspecting' && now - Date.parse(changedAt) > ABANDONED_MS)
        this.complete(tenant, id).catch(this.#needs.onError);
    }
  }

  /** Delete bytes that no record speaks of. */
  async sweepFiles(): Promise<void> {
    const { transfers, partials } = this.#needs;
    const lying: string[] = [];
    for await (const id of partials.ids()) lying.push(id);
    const known = new Set((await transfers.all()).map(({ id }) => id));
    for (const id of lying) if (!known.has(id)) await partials.remove(id);
  }

  /** Until what is being looked into has been left. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#working);
  }

  async #finish(tenant: string, id: string): Promise<TransferRecord | undefined> {
    const { transfers, redis, prefix } = this.#needs;
    const lease = await Lease.take(redis, `${prefix}:uploads:finishing:${id}`);
    if (!lease) return transfers.get(tenant, id); // somebody is at it
    try {
      const record = await transfers.change(tenant, id, ({ status }) =>
        status === 'receiving' ? { status: 'inspecting' } : {},
      );
      if (!record || OVER.has(record.status)) return record;
      return await this.#take(record, AbortSignal.any([this.#needs.closing, lease.lost]));
    } finally {
      await lease.release();
    }
  }

  async #take(record: TransferRecord, signal: AbortSignal): Promise<TransferRecord | undefined> {
    const { tenant, id, name, sha256, kind } = record;
    try {
      const options = sha256 === null ? {} : { sha256 };
      const upload = await this.#needs.partials.whole(id, record.offset, options);
      const take = kind === 'model' ? takeModel : takeDataset;
      const { record: made } = await take(this.#needs, tenant, { upload, name }, signal);
      return await this.#end(record, {
        status: 'succeeded',
        result: made.id,
        sha256: upload.digest,
      });
    } catch (error) {
      const fault = faultOf(error);
      if (fault) await this.#end(record, { status: 'failed', error: fault });
      throw signal.aborted ? new ServiceError('SHUTTING_DOWN', {}, { cause: error }) : error;
    }
  }

  async #end({ tenant, id }: TransferRecord, set: Partial<TransferRecord>) {
    const { transfers, partials } = this.#needs;
    const times = { finishedAt: new Date().toISOString(), expiresAt: expiryOf(SHOWN_HOURS) };
    const ended = await transfers.change(tenant, id, () => ({ ...set, ...times }));
    await partials.remove(id);
    return ended;
  }

  /** @tus/server says that the offset is wrong; clients want to know the right one. */
  async #withOffset(error: unknown, { tenant, url, headers }: Omit<TusRequest, 'newId'>) {
    const conflict =
      error instanceof ServiceError &&
      error.code === 'UPLOAD_INVALID' &&
      /^Upload-Offset conflict/.test((error.facts as { why: string }).why);
    const id = idOf({ url });
    const record = conflict ? await this.#needs.transfers.get(tenant, id) : undefined;
    if (!record) return error;
    const sent = String(headers['upload-offset']);
    return new ServiceError('UPLOAD_OFFSET_CONFLICT', { id, sent, has: record.offset });
  }
}
