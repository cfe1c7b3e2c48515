/** @file One try of one import: fetch, hash, inspect, store; progress as it goes. */

import { ServiceError } from '../contract/errors.ts';
import { takeDataset, takeModel } from '../intake/take.ts';
import { faultOf, type TransferRecord } from '../records/transfers.ts';
import type { Upload } from '../storage/uploads.ts';
import type { ImportNeeds } from './imports.ts';
import { sourceOf } from './registry.ts';

/** Between words about progress. */
const TOLD_MS = 1000;

/** What has ended is shown so long. */
const SHOWN_MS = 86_400_000;

/** Nobody wants it any more. */
class Forgotten extends Error {}

export class ImportRun {
  readonly #needs: ImportNeeds;
  readonly #record: TransferRecord;
  readonly #signal: AbortSignal;
  readonly #forgotten = new AbortController();
  #told = 0;

  /** @param signal aborted: somebody else goes on with it */
  constructor(needs: ImportNeeds, record: TransferRecord, signal: AbortSignal) {
    this.#needs = needs;
    this.#record = record;
    this.#signal = AbortSignal.any([signal, this.#forgotten.signal]);
  }

  /**
   * @param mayRetry whether a source that could not be reached is tried again
   * @returns why it is to be tried again; undefined: it has ended, for good or for bad
   */
  async once(mayRetry: boolean): Promise<string | undefined> {
    try {
      const upload = await this.#fetch();
      await this.#tell({ status: 'inspecting', offset: upload.bytes, length: upload.bytes });
      const take = this.#record.kind === 'model' ? takeModel : takeDataset;
      const received = { upload, name: this.#record.name };
      const { record } = await take(this.#needs, this.#record.tenant, received, this.#signal);
      await this.#end({ status: 'succeeded', result: record.id, sha256: upload.digest });
      return undefined;
    } catch (error) {
      return this.#failed(error, mayRetry);
    }
  }

  async #failed(error: unknown, mayRetry: boolean): Promise<string | undefined> {
    if (this.#forgotten.signal.aborted) return undefined;
    const fault = this.#signal.aborted ? undefined : faultOf(error);
    if (!fault || (fault.code === 'IMPORT_SOURCE_UNREACHABLE' && mayRetry))
      return (error as Error).message;
    await this.#end({ status: 'failed', error: fault });
    return undefined;
  }

  /** @throws IMPORT_TOO_SLOW · QUOTA_EXCEEDED · PAYLOAD_TOO_LARGE · DIGEST_MISMATCH, and what the source throws */
  async #fetch(): Promise<Upload> {
    const { sources, seal, uploads, quotas, seconds, most } = this.#needs;
    const { tenant, kind, sha256, source } = this.#record;
    const url = seal.open(source!.sealed);
    const late = AbortSignal.timeout(1000 * seconds);
    const signal = AbortSignal.any([this.#signal, late]);
    let bytes = 0;
    try {
      const { body, total } = await sourceOf(sources, url).open(url, signal);
      const limit = most[kind];
      if (total !== null && total > limit)
        throw new ServiceError('PAYLOAD_TOO_LARGE', { what: 'file to import', limit });
      await quotas.checkStored(tenant, total ?? 0);
      await this.#tell({ status: 'receiving', offset: 0, length: total });
      const counted = this.#counted(body, signal, (n) => {
        bytes = n;
      });
      const room = { limit, ...(sha256 !== null && { sha256 }) };
      const upload = await uploads.receive(counted, room);
      await quotas.chargeUpload(tenant, upload.bytes);
      return upload;
    } catch (error) {
      if (!late.aborted) throw error;
      throw new ServiceError('IMPORT_TOO_SLOW', { url: source!.shown, seconds, bytes });
    }
  }

  async *#counted(
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
    count: (bytes: number) => void,
  ): AsyncGenerator<Uint8Array> {
    let offset = 0;
    for await (const chunk of body) {
      signal.throwIfAborted();
      offset += chunk.length;
      count(offset);
      if (Date.now() - this.#told > TOLD_MS) await this.#tell({ offset });
      yield chunk;
    }
  }

  async #tell(set: Partial<TransferRecord>): Promise<void> {
    this.#told = Date.now();
    const { transfers, redis, changed } = this.#needs;
    const { tenant, id } = this.#record;
    const known = await transfers.change(tenant, id, () => set);
    if (!known) {
      this.#forgotten.abort();
      throw new Forgotten(id);
    }
    await redis.publish(changed, id);
  }

  async #end(set: Partial<TransferRecord>): Promise<void> {
    const finishedAt = new Date().toISOString();
    const expiresAt = new Date(Date.now() + SHOWN_MS).toISOString();
    await this.#tell({ ...set, finishedAt, expiresAt }).catch((error) => {
      if (!(error instanceof Forgotten)) throw error;
    });
  }
}
