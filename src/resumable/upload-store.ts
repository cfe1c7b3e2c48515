/** @file The uploads of one tenant as tus sees them: made for one request, with that request's checksum. */

import type { Readable } from 'node:stream';

import { DataStore, Upload } from '@tus/server';

import { ServiceError } from '../contract/errors.ts';
import type { Quotas } from '../records/quotas.ts';
import type { TransferRecord, Transfers } from '../records/transfers.ts';
import type { PartialFiles } from '../storage/partial-files.ts';
import { type Checksum, verify } from './checksum.ts';
import {
  digestIn,
  expiryOf,
  kindOf,
  type Metadata,
  metadataOf,
  nameIn,
  newUpload,
} from './upload-record.ts';

export interface UploadStoreNeeds {
  readonly transfers: Transfers;
  readonly partials: PartialFiles;
  readonly quotas: Quotas;
  /** Largest file of each kind, in bytes. */
  readonly most: Readonly<Record<TransferRecord['kind'], number>>;
  /** An upload is kept so long after its last byte. */
  readonly hours: number;
}

/** Unfinished uploads of a tenant. */
export const MOST_UPLOADS = 100;

export class UploadStore extends DataStore {
  readonly #needs: UploadStoreNeeds;
  readonly #tenant: string;
  readonly #checksum: Checksum | undefined;

  constructor(needs: UploadStoreNeeds, tenant: string, checksum?: Checksum) {
    super();
    this.#needs = needs;
    this.#tenant = tenant;
    this.#checksum = checksum;
    this.extensions = [
      ...['creation', 'creation-with-upload', 'creation-defer-length'],
      ...['expiration', 'termination', 'checksum'],
    ];
  }

  /** @throws UPLOAD_INVALID · PAYLOAD_TOO_LARGE · TOO_MANY_UPLOADS · QUOTA_EXCEEDED */
  override async create(upload: Upload): Promise<Upload> {
    const metadata: Metadata = upload.metadata ?? {};
    const begun = {
      id: upload.id,
      tenant: this.#tenant,
      kind: kindOf(metadata),
      name: nameIn(metadata),
      sha256: digestIn(metadata),
      length: upload.size ?? null,
    };
    await beginUpload(this.#needs, begun);
    return upload;
  }

  /** @throws UPLOAD_NOT_FOUND */
  override async getUpload(id: string): Promise<Upload> {
    const record = await this.#find(id);
    return new Upload({
      id,
      offset: record.offset,
      metadata: metadataOf(record),
      // Its time runs from its latest byte.
      creation_date: new Date(Date.parse(record.expiresAt) - this.getExpiration()).toISOString(),
      ...(record.length !== null && { size: record.length }),
    });
  }

  /** @throws PAYLOAD_TOO_LARGE */
  override async declareUploadLength(id: string, length: number): Promise<void> {
    const record = await this.#find(id);
    refuseTooLong(this.#needs, record.kind, length);
    await this.#change(id, () => ({ length }));
  }

  /**
   * What arrives is kept and counted as it comes, so that a connection that breaks off costs little; with a checksum,
   * all of it or nothing.
   *
   * @returns the offset
   * @throws UPLOAD_CHECKSUM_MISMATCH · PAYLOAD_TOO_LARGE · STORAGE_FULL · UPLOAD_OFFSET_CONFLICT
   */
  override async write(stream: Readable | AsyncIterable<Uint8Array>, id: string, offset: number) {
    const { kind, status } = await this.#find(id);
    if (status !== 'receiving') return offset; // it is complete: there is nothing to add
    const checksum = this.#checksum;
    let [counted, arrived] = [offset, offset];
    const count = async (to: number) => {
      arrived = to;
      if (checksum && !this.#verified) return;
      await this.#count(id, counted, to);
      counted = to;
    };
    await this.#needs.partials.write(id, offset, this.#watched(stream, kind, offset), count);
    if (checksum) {
      verify(checksum);
      this.#verified = true;
      await count(arrived);
    }
    return counted;
  }

  #verified = false;

  override async remove(id: string): Promise<void> {
    await this.#find(id);
    await this.#needs.transfers.remove(this.#tenant, id);
    await this.#needs.partials.remove(id);
  }

  override getExpiration(): number {
    return this.#needs.hours * 3_600_000;
  }

  async *#watched(
    stream: AsyncIterable<Uint8Array>,
    kind: TransferRecord['kind'],
    offset: number,
  ): AsyncGenerator<Uint8Array> {
    let end = offset;
    for await (const chunk of stream) {
      end += chunk.length;
      refuseTooLong(this.#needs, kind, end);
      this.#checksum?.hash.update(chunk);
      yield chunk;
    }
  }

  /** A writer that has lost its lock to another one finds that the offset has moved. */
  async #count(id: string, from: number, to: number): Promise<void> {
    await this.#change(id, (now) => {
      if (now.offset !== from)
        throw new ServiceError('UPLOAD_OFFSET_CONFLICT', { id, sent: `${from}`, has: now.offset });
      return { offset: to, expiresAt: expiryOf(this.#needs.hours) };
    });
  }

  async #change(
    id: string,
    changer: (now: TransferRecord) => Partial<TransferRecord>,
  ): Promise<void> {
    const changed = await this.#needs.transfers.change(this.#tenant, id, changer);
    if (!changed) throw new ServiceError('UPLOAD_NOT_FOUND', { id });
  }

  async #find(id: string): Promise<TransferRecord> {
    const record = await this.#needs.transfers.get(this.#tenant, id);
    if (!record) throw new ServiceError('UPLOAD_NOT_FOUND', { id });
    return record;
  }
}

/** @throws UPLOAD_INVALID · PAYLOAD_TOO_LARGE · TOO_MANY_UPLOADS · QUOTA_EXCEEDED */
export async function beginUpload(
  needs: UploadStoreNeeds,
  begun: Parameters<typeof newUpload>[0],
): Promise<TransferRecord> {
  const { transfers, hours, quotas } = needs;
  if (begun.length === 0) throw new ServiceError('UPLOAD_INVALID', { why: 'the file is empty' });
  if (begun.length !== null) refuseTooLong(needs, begun.kind, begun.length);
  const all = await transfers.list(begun.tenant);
  if (all.filter(({ status }) => status === 'receiving').length >= MOST_UPLOADS)
    throw new ServiceError('TOO_MANY_UPLOADS', { limit: MOST_UPLOADS });
  if (begun.length !== null) await quotas.checkStored(begun.tenant, begun.length);
  const record = newUpload(begun, hours);
  await transfers.add(record);
  return record;
}

function refuseTooLong(
  { most }: UploadStoreNeeds,
  kind: TransferRecord['kind'],
  length: number,
): void {
  if (length > most[kind])
    throw new ServiceError('PAYLOAD_TOO_LARGE', { what: kind, limit: most[kind] });
}
