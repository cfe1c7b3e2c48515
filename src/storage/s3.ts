/** @file Files in an object storage that speaks S3, by content: `ab/abcd…` in one bucket. */

import { randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { hexOf, isDigest } from '../contract/digest.ts';
import { ServiceError } from '../contract/errors.ts';
import type {
  ByteRange,
  PlainStore,
  PresignedFor,
  PutOptions,
  Stored,
  StoredFile,
} from './artifact-store.ts';
import { type Bucket, COPY_BYTES, isMissing } from './bucket.ts';
import { hashFile, storageError, writeHashed } from './write-hashed.ts';

const BLOB = /^[0-9a-f]{2}\/([0-9a-f]{64})$/;

export class S3Store implements PlainStore {
  readonly #bucket: Bucket;
  readonly #incoming: string;

  /** @param dataDir folder of this machine for uploads on their way: a file is named only when it is whole */
  constructor(bucket: Bucket, dataDir: string) {
    this.#bucket = bucket;
    this.#incoming = join(dataDir, 'incoming');
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
    try {
      return (await this.#bucket.get(keyOf(digest), range)).body;
    } catch (error) {
      throw isMissing(error) ? new ServiceError('STORED_FILE_MISSING', { digest }) : error;
    }
  }

  async fetchTo(digest: string, path: string): Promise<void> {
    try {
      await this.#bucket.tried(async () => {
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
    const found = await this.#bucket.head(keyOf(digest));
    return found && { digest, bytes: found.ContentLength ?? 0, putAt: found.LastModified! };
  }

  async delete(digest: string): Promise<boolean> {
    if (!(await this.head(digest))) return false;
    await this.#bucket.delete(keyOf(digest));
    return true;
  }

  async *list(): AsyncGenerator<StoredFile> {
    for await (const { key, bytes, putAt } of this.#bucket.list()) {
      const hex = BLOB.exec(key)?.[1];
      if (hex !== undefined) yield { digest: `sha256:${hex}`, bytes, putAt };
    }
  }

  presign(digest: string, seconds: number, as: PresignedFor): Promise<string> {
    return this.#bucket.presignGet(keyOf(digest), seconds, as);
  }

  /** There is no limit to tell. Throws where the bucket cannot be reached. */
  async free(): Promise<undefined> {
    await this.#bucket.probe();
  }

  /** A damaged object of more than 5 GiB is deleted: it cannot be copied in one call. */
  async setAside(digest: string): Promise<void> {
    const file = await this.head(digest);
    if (!file) return;
    if (file.bytes <= COPY_BYTES) await this.#bucket.copy(keyOf(digest), asideOf(digest));
    await this.#bucket.delete(keyOf(digest));
  }

  async isSetAside(digest: string): Promise<boolean> {
    return isDigest(digest) && (await this.#bucket.head(asideOf(digest))) !== undefined;
  }

  /** The same content is the same object: then only its time is renewed. */
  async #publish(path: string, { digest, bytes }: Stored): Promise<void> {
    const known = await this.#bucket.head(keyOf(digest));
    if (known && bytes <= COPY_BYTES) await this.#bucket.copy(keyOf(digest), keyOf(digest));
    else await this.#bucket.putFile(keyOf(digest), path, bytes);
    if (!known) await this.#bucket.delete(asideOf(digest));
  }
}

function keyOf(digest: string): string {
  if (!isDigest(digest)) throw new ServiceError('STORED_FILE_MISSING', { digest });
  const hex = hexOf(digest);
  return `${hex.slice(0, 2)}/${hex}`;
}

const asideOf = (digest: string) => `corrupt/${hexOf(digest)}`;
