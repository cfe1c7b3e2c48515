/** @file One bucket of an object storage that speaks S3: single calls, tried again where they may work in a moment. */

import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import type { HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';

import { ServiceError } from '../contract/errors.ts';
import type { ByteRange } from './artifact-store.ts';

export interface BucketSettings {
  readonly bucket: string;
  /** Empty: AWS itself. */
  readonly endpoint: string;
  readonly region: string;
  /** As clients reach the storage; empty: as we do. */
  readonly publicEndpoint?: string;
}

export interface BucketObject {
  readonly key: string;
  readonly bytes: number;
  readonly putAt: Date;
}

/** Larger files go up in parts of this size: S3 takes at most 5 GiB at once, and 10,000 parts. */
const PART_BYTES = 8 * 2 ** 20;
/** Six seconds or more in all. */
const TRIES = 6;
const FIRST_PAUSE_MS = 200;
/** S3 copies no more than this in one call. */
export const COPY_BYTES = 5 * 2 ** 30;

type Sdk = typeof import('@aws-sdk/client-s3');
interface Opened {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

/** Credentials come from the environment or the machine's role, as the AWS SDK finds them. */
export class Bucket {
  readonly #settings: BucketSettings;
  #opened: Promise<Opened> | undefined;
  #public: Promise<Opened> | undefined;

  constructor(settings: BucketSettings) {
    this.#settings = settings;
  }

  /** @throws STORAGE_UNAVAILABLE · an error that `isMissing` knows */
  async get(key: string, range?: ByteRange): Promise<{ readonly body: Readable; bytes?: number }> {
    const Range = range && `bytes=${range.start}-${range.end}`;
    const at = this.#at(key);
    const { Body, ContentLength } = await this.tried((sdk, client) =>
      client.send(new sdk.GetObjectCommand({ ...at, ...(Range && { Range }) })),
    );
    return { body: Body as Readable, ...(ContentLength !== undefined && { bytes: ContentLength }) };
  }

  async head(key: string): Promise<HeadObjectCommandOutput | undefined> {
    const at = this.#at(key);
    try {
      return await this.tried((sdk, client) => client.send(new sdk.HeadObjectCommand(at)));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    const at = this.#at(key);
    await this.tried((sdk, client) => client.send(new sdk.DeleteObjectCommand(at)));
  }

  /** Names beginning with `prefix`, in their order. */
  async *list(prefix = ''): AsyncGenerator<BucketObject> {
    const { sdk, client } = await this.#open();
    const query = { Bucket: this.#settings.bucket, ...(prefix !== '' && { Prefix: prefix }) };
    for await (const { Contents = [] } of sdk.paginateListObjectsV2({ client }, query)) {
      for (const { Key = '', Size = 0, LastModified } of Contents)
        yield { key: Key, bytes: Size, putAt: LastModified! };
    }
  }

  /** Of up to `COPY_BYTES`. The same name renews the time of an object. */
  async copy(from: string, to: string): Promise<void> {
    const at = this.#at(to);
    const CopySource = `${at.Bucket}/${from}`;
    await this.tried((sdk, client) =>
      client.send(new sdk.CopyObjectCommand({ ...at, CopySource, MetadataDirective: 'REPLACE' })),
    );
  }

  /** Put a file of this machine. @throws STORAGE_FULL · STORAGE_UNAVAILABLE */
  async putFile(key: string, path: string, bytes: number): Promise<void> {
    try {
      if (bytes <= PART_BYTES) await this.#putWhole(key, path, bytes);
      else await this.#putParts(key, path, bytes);
    } catch (error) {
      throw isFull(error) ? new ServiceError('STORAGE_FULL', {}, { cause: error }) : error;
    }
  }

  /** An address from which anybody can read the object for some time. @param as name and type for whoever saves it */
  async presignGet(
    key: string,
    seconds: number,
    as: { readonly disposition: string; readonly type: string },
  ): Promise<string> {
    const { sdk, client } = await this.#reachable();
    const command = new sdk.GetObjectCommand({
      ...this.#at(key),
      ResponseContentDisposition: as.disposition,
      ResponseContentType: as.type,
    });
    return this.#signed(client, command, seconds);
  }

  /** An address to which anybody can write an object of exactly so many bytes, for some time. */
  async presignPut(key: string, bytes: number, seconds: number): Promise<string> {
    const { sdk, client } = await this.#reachable();
    const command = new sdk.PutObjectCommand({ ...this.#at(key), ContentLength: bytes });
    return this.#signed(client, command, seconds);
  }

  /** Throws where the bucket cannot be reached; does not try again. */
  async probe(): Promise<void> {
    const { sdk, client } = await this.#open();
    await client.send(new sdk.HeadBucketCommand({ Bucket: this.#settings.bucket }));
  }

  /**
   * Try again what the storage could not do just now, each time with a request of its own: the SDK does not repeat
   * one whose body is a stream.
   *
   * @throws STORAGE_UNAVAILABLE
   */
  async tried<T>(work: (sdk: Sdk, client: S3Client) => Promise<T>): Promise<T> {
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

  async #putWhole(key: string, path: string, bytes: number): Promise<void> {
    const at = this.#at(key);
    await this.tried((sdk, client) => {
      const Body = createReadStream(path);
      return client.send(new sdk.PutObjectCommand({ ...at, Body, ContentLength: bytes }));
    });
  }

  async #putParts(key: string, path: string, bytes: number): Promise<void> {
    const at = this.#at(key);
    const { UploadId } = await this.tried((sdk, client) =>
      client.send(new sdk.CreateMultipartUploadCommand(at)),
    );
    try {
      const Parts: { PartNumber: number; ETag?: string | undefined }[] = [];
      for (let start = 0; start < bytes; start += PART_BYTES) {
        const PartNumber = Parts.length + 1;
        const end = Math.min(start + PART_BYTES, bytes);
        const part = { PartNumber, UploadId, ContentLength: end - start };
        const { ETag } = await this.tried((sdk, client) => {
          const Body = createReadStream(path, { start, end: end - 1 });
          return client.send(new sdk.UploadPartCommand({ ...at, ...part, Body }));
        });
        Parts.push({ PartNumber, ETag });
      }
      const MultipartUpload = { Parts };
      await this.tried((sdk, client) =>
        client.send(new sdk.CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload })),
      );
    } catch (error) {
      await this.tried((sdk, client) =>
        client.send(new sdk.AbortMultipartUploadCommand({ ...at, UploadId })),
      ).catch(() => undefined); // what went wrong first is told
      throw error;
    }
  }

  #at = (Key: string) => ({ Bucket: this.#settings.bucket, Key });

  async #signed(client: S3Client, command: object, expiresIn: number): Promise<string> {
    const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
    return getSignedUrl(client as never, command as never, { expiresIn });
  }

  #open(): Promise<Opened> {
    this.#opened ??= opened(this.#settings);
    return this.#opened;
  }

  /** The storage as clients reach it. */
  #reachable(): Promise<Opened> {
    const { publicEndpoint = '' } = this.#settings;
    if (publicEndpoint === '') return this.#open();
    this.#public ??= opened({ ...this.#settings, endpoint: publicEndpoint });
    return this.#public;
  }
}

/** The SDK takes 0.3 s to load: only where it is needed. */
async function opened({ region, endpoint }: BucketSettings): Promise<Opened> {
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    region,
    ...(endpoint !== '' && { endpoint, forcePathStyle: true }),
    maxAttempts: 1, // we try again ourselves
    // Others than AWS refuse the checksums that the SDK sends unasked.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  return { sdk, client };
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

/** In words what went wrong. */
export function saidBy(error: unknown): string {
  const status = statusOf(error);
  return status === undefined ? (error as Error).message : `it answered ${status}`;
}

/** There is no such object. */
export const isMissing = (error: unknown) =>
  statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket';

const isFull = (error: unknown) =>
  statusOf(error) === 507 || /StorageFull|QuotaExceeded/.test((error as Error).name);
