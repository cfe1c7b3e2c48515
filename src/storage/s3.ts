/** @file Files in an object storage that speaks S3, by content: `<prefix>ab/abcd…` in one bucket. */

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import type { HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';

import { type Digest, hexOf, isDigest } from '../contract/digest.ts';
import { ServiceError } from '../contract/errors.ts';
import type { ArtifactStore, ByteRange, PutOptions, Stored, StoredFile } from './artifact-store.ts';
import { hashFile, storageError, writeHashed } from './write-hashed.ts';

export interface S3Settings {
  readonly bucket: string;
  /** Empty: AWS itself. */
  readonly endpoint: string;
  readonly region: string;
  /** Folder of this machine for uploads on their way: a file is named only when it is whole. */
  readonly dataDir: string;
}

/** Larger files go up in parts of this size: S3 takes at most 5 GiB at once, and 10,000 parts. */
const PART_BYTES = 8 * 2 ** 20;
/** Six seconds or more in all. */
const TRIES = 6;
const FIRST_PAUSE_MS = 200;
/** S3 copies no more than this in one call. */
const COPY_BYTES = 5 * 2 ** 30;

type Sdk = typeof import('@aws-sdk/client-s3');

/** Credentials come from the environment or the machine's role, as the AWS SDK finds them. */
export class S3Store implements ArtifactStore {
  readonly #settings: S3Settings;
  readonly #incoming: string;
  #opened: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

  constructor(settings: S3Settings) {
    this.#settings = settings;
    this.#incoming = join(settings.dataDir, 'incoming');
  }

  async putFile(
    path: string,
    { move = false, ...options }: PutOptions & { readonly move?: boolean } = {},
  ): Promise<Stored> {
    const stored = await hashFile(path, options);
    await this.#publish(path, stored);
    if (move) await rm(path, { force: true });
    return stored;
  }

  async putStream(source: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<Stored> {
    await mkdir(this.#incoming, { recursive: true });
    const temporary = join(this.#incoming, randomUUID());
    const stored = await writeHashed(source, temporary, options);
    await this.#publish(temporary, stored).finally(() => rm(temporary, { force: true }));
    return stored;
  }

  async getStream(digest: string, range?: ByteRange): Promise<Readable> {
    const at = this.#at(digest);
    const Range = range && `bytes=${range.start}-${range.end}`;
    try {
      const { Body } = await this.#tried((sdk, client) =>
        client.send(new sdk.GetObjectCommand({ ...at, ...(Range && { Range }) })),
      );
      return Body as Readable;
    } catch (error) {
      throw isMissing(error) ? new ServiceError('STORED_FILE_MISSING', { digest }) : error;
    }
  }

  async fetchTo(digest: string, path: string): Promise<void> {
    try {
      await this.#tried(async () => {
        const stream = await this.getStream(digest);
        await pipeline(stream, (await open(path, 'w')).createWriteStream());
      });
    } catch (error) {
      await rm(path, { force: true });
      throw storageError(error);
    }
  }

  async head(digest: string): Promise<StoredFile | undefined> {
    if (!isDigest(digest)) return undefined;
    const found = await this.#head(digest);
    return found && { digest, bytes: found.ContentLength ?? 0, putAt: found.LastModified! };
  }

  async delete(digest: string): Promise<boolean> {
    if (!(await this.head(digest))) return false;
    await this.#tried((sdk, client) => client.send(new sdk.DeleteObjectCommand(this.#at(digest))));
    return true;
  }

  async *list(): AsyncGenerator<StoredFile> {
    const { sdk, client } = await this.#open();
    const pages = sdk.paginateListObjectsV2({ client }, { Bucket: this.#settings.bucket });
    for await (const { Contents = [] } of pages) {
      for (const { Key = '', Size = 0, LastModified } of Contents) {
        const digest = `sha256:${Key.split('/').at(-1)}`;
        if (isDigest(digest)) yield { digest, bytes: Size, putAt: LastModified! };
      }
    }
  }

  presign(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** There is no limit to tell. Throws where the bucket cannot be reached. */
  async free(): Promise<undefined> {
    const { sdk, client } = await this.#open();
    await client.send(new sdk.HeadBucketCommand({ Bucket: this.#settings.bucket }));
  }

  /** The same content is the same object: then only its time is renewed. */
  async #publish(path: string, { digest, bytes }: Stored): Promise<void> {
    const known = await this.#head(digest);
    try {
      if (known && bytes <= COPY_BYTES) await this.#renew(digest);
      else if (bytes <= PART_BYTES) await this.#putWhole(path, digest, bytes);
      else await this.#putParts(path, digest, bytes);
    } catch (error) {
      throw isFull(error) ? new ServiceError('STORAGE_FULL', {}, { cause: error }) : error;
    }
  }

  async #renew(digest: Digest): Promise<void> {
    const at = this.#at(digest);
    const CopySource = `${at.Bucket}/${at.Key}`;
    await this.#tried((sdk, client) =>
      client.send(new sdk.CopyObjectCommand({ ...at, CopySource, MetadataDirective: 'REPLACE' })),
    );
  }

  async #putWhole(path: string, digest: Digest, bytes: number): Promise<void> {
    const at = this.#at(digest);
    await this.#tried((sdk, client) => {
      const Body = createReadStream(path);
      return client.send(new sdk.PutObjectCommand({ ...at, Body, ContentLength: bytes }));
    });
  }

  async #putParts(path: string, digest: Digest, bytes: number): Promise<void> {
    const at = this.#at(digest);
    const { UploadId } = await this.#tried((sdk, client) =>
      client.send(new sdk.CreateMultipartUploadCommand(at)),
    );
    try {
      const Parts: { PartNumber: number; ETag?: string | undefined }[] = [];
      for (let start = 0; start < bytes; start += PART_BYTES) {
        const PartNumber = Parts.length + 1;
        const end = Math.min(start + PART_BYTES, bytes);
        const part = { PartNumber, UploadId, ContentLength: end - start };
        const { ETag } = await this.#tried((sdk, client) => {
          const Body = createReadStream(path, { start, end: end - 1 });
          return client.send(new sdk.UploadPartCommand({ ...at, ...part, Body }));
        });
        Parts.push({ PartNumber, ETag });
      }
      const MultipartUpload = { Parts };
      await this.#tried((sdk, client) =>
        client.send(new sdk.CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload })),
      );
    } catch (error) {
      await this.#tried((sdk, client) =>
        client.send(new sdk.AbortMultipartUploadCommand({ ...at, UploadId })),
      ).catch(() => undefined); // what went wrong first is told
      throw error;
    }
  }

  async #head(digest: Digest): Promise<HeadObjectCommandOutput | undefined> {
    const at = this.#at(digest);
    try {
      return await this.#tried((sdk, client) => client.send(new sdk.HeadObjectCommand(at)));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /**
   * Try again what the storage could not do just now, each time with a request of its own: the SDK does not repeat
   * one whose body is a stream.
   *
   * @throws STORAGE_UNAVAILABLE
   */
  async #tried<T>(work: (sdk: Sdk, client: S3Client) => Promise<T>): Promise<T> {
    const { sdk, client } = await this.#open();
    for (let failures = 1; ; failures++) {
      try {
        return await work(sdk, client);
      } catch (error) {
        if (!isTrouble(error)) throw error;
        if (failures === TRIES)
          throw new ServiceError('STORAGE_UNAVAILABLE', { why: saidBy(error) }, { cause: error });
        await sleep(FIRST_PAUSE_MS * 2 ** (failures - 1) * (1 + Math.random()));
      }
    }
  }

  #at(digest: string): { Bucket: string; Key: string } {
    if (!isDigest(digest)) throw new ServiceError('STORED_FILE_MISSING', { digest });
    const hex = hexOf(digest);
    return { Bucket: this.#settings.bucket, Key: `${hex.slice(0, 2)}/${hex}` };
  }

  /** The SDK takes 0.3 s to load: only where it is needed. */
  #open(): Promise<{ sdk: Sdk; client: S3Client }> {
    const { endpoint, region } = this.#settings;
    this.#opened ??= import('@aws-sdk/client-s3').then((sdk) => ({
      sdk,
      client: new sdk.S3Client({
        region,
        ...(endpoint !== '' && { endpoint, forcePathStyle: true }),
        maxAttempts: 1, // we try again ourselves
        // Others than AWS refuse the checksums that the SDK sends unasked.
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
      }),
    }));
    return this.#opened;
  }
}

const statusOf = (error: unknown) =>
  (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;

/** It may work in a moment: the server's fault, too many requests, or no connection. */
function isTrouble(error: unknown): boolean {
  if (error instanceof ServiceError) return false;
  const status = statusOf(error);
  if (status !== undefined) return (status >= 500 && status !== 507) || status === 429;
  const { code = '', name } = error as NodeJS.ErrnoException;
  return NETWORK.test(code) || name === 'TimeoutError';
}

const NETWORK =
  /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ERR_STREAM_PREMATURE)/;

function saidBy(error: unknown): string {
  const status = statusOf(error);
  return status === undefined ? (error as Error).message : `it answered ${status}`;
}

const isMissing = (error: unknown) =>
  statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket';

const isFull = (error: unknown) =>
  statusOf(error) === 507 || /StorageFull|QuotaExceeded/.test((error as Error).name);
