/** @file Files in an object storage that speaks S3, by content: `<prefix>ab/abcd…` in one bucket. */

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

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
    const { sdk, client } = await this.#open();
    const at = this.#at(digest);
    const Range = range && `bytes=${range.start}-${range.end}`;
    try {
      const { Body } = await client.send(
        new sdk.GetObjectCommand({ ...at, ...(Range && { Range }) }),
      );
      return Body as Readable;
    } catch (error) {
      throw isMissing(error) ? new ServiceError('STORED_FILE_MISSING', { digest }) : error;
    }
  }

  async fetchTo(digest: string, path: string): Promise<void> {
    const stream = await this.getStream(digest);
    try {
      await pipeline(stream, (await open(path, 'w')).createWriteStream());
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
    const { sdk, client } = await this.#open();
    await client.send(new sdk.DeleteObjectCommand(this.#at(digest)));
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
    const { sdk, client } = await this.#open();
    const at = this.#at(digest);
    const CopySource = `${at.Bucket}/${at.Key}`;
    await client.send(
      new sdk.CopyObjectCommand({ ...at, CopySource, MetadataDirective: 'REPLACE' }),
    );
  }

  async #putWhole(path: string, digest: Digest, bytes: number): Promise<void> {
    const { sdk, client } = await this.#open();
    const Body = createReadStream(path);
    await client.send(
      new sdk.PutObjectCommand({ ...this.#at(digest), Body, ContentLength: bytes }),
    );
  }

  async #putParts(path: string, digest: Digest, bytes: number): Promise<void> {
    const { sdk, client } = await this.#open();
    const at = this.#at(digest);
    const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand(at));
    try {
      const Parts: { PartNumber: number; ETag?: string | undefined }[] = [];
      for (let start = 0; start < bytes; start += PART_BYTES) {
        const PartNumber = Parts.length + 1;
        const end = Math.min(start + PART_BYTES, bytes);
        const part = { PartNumber, UploadId, ContentLength: end - start };
        const Body = createReadStream(path, { start, end: end - 1 });
        const { ETag } = await client.send(new sdk.UploadPartCommand({ ...at, ...part, Body }));
        Parts.push({ PartNumber, ETag });
      }
      const MultipartUpload = { Parts };
      await client.send(
        new sdk.CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload }),
      );
    } catch (error) {
      await client.send(new sdk.AbortMultipartUploadCommand({ ...at, UploadId }));
      throw error;
    }
  }

  async #head(digest: Digest): Promise<HeadObjectCommandOutput | undefined> {
    const { sdk, client } = await this.#open();
    try {
      return await client.send(new sdk.HeadObjectCommand(this.#at(digest)));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
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

const isMissing = (error: unknown) =>
  statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket';

const isFull = (error: unknown) =>
  statusOf(error) === 507 || /StorageFull|QuotaExceeded/.test((error as Error).name);
