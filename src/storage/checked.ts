/** @file A store whose files are held against their digests as they are read. */

import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';

import { ServiceError } from '../contract/errors.ts';
import type {
  ArtifactStore,
  ByteRange,
  PlainStore,
  PresignedFor,
  PutOptions,
  Stored,
  StoredFile,
} from './artifact-store.ts';
import { hashFile } from './write-hashed.ts';

/** Files up to this size are looked at before their first byte is given out. */
const SMALL_BYTES = 8 * 2 ** 20;

/** So many files are known to be whole; then the oldest is forgotten. */
const REMEMBERED = 10_000;

export class CheckedStore implements ArtifactStore {
  readonly #store: PlainStore;
  /** Digest → time of the file that was whole. */
  readonly #whole = new Map<string, number>();

  constructor(store: PlainStore) {
    this.#store = store;
  }

  putFile(path: string, options?: PutOptions & { readonly move?: boolean }): Promise<Stored> {
    return this.#store.putFile(path, options);
  }

  putStream(source: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<Stored> {
    return this.#store.putStream(source, options);
  }

  /** A part of a file says nothing about its digest, so the whole file is read once before. */
  async getStream(digest: string, range?: ByteRange): Promise<Readable> {
    if (range) {
      await this.#ensureWhole(digest);
      return this.#store.getStream(digest, range);
    }
    const source = await this.#open(digest);
    const checked = withheld(source, digest, () => this.#damaged(digest));
    const first: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      const { done, value } = await checked.next();
      if (done) return Readable.from(first, { objectMode: false });
      first.push(value);
      bytes += value.length;
      if (bytes > SMALL_BYTES)
        return Readable.from(joined(first, checked), { objectMode: false }).once('close', () =>
          source.destroy(),
        );
    }
  }

  async fetchTo(digest: string, path: string): Promise<void> {
    await this.#store.fetchTo(digest, path).catch(async (error) => {
      throw await this.#explained(digest, error);
    });
    if ((await hashFile(path, {})).digest === digest) return;
    await rm(path, { force: true });
    await this.#damaged(digest);
  }

  head(digest: string): Promise<StoredFile | undefined> {
    return this.#store.head(digest);
  }

  delete(digest: string): Promise<boolean> {
    this.#whole.delete(digest);
    return this.#store.delete(digest);
  }

  list(): AsyncIterable<StoredFile> {
    return this.#store.list();
  }

  presign(digest: string, seconds: number, as: PresignedFor): Promise<string | undefined> {
    return this.#store.presign(digest, seconds, as);
  }

  free(): Promise<number | undefined> {
    return this.#store.free();
  }

  async #open(digest: string): Promise<Readable> {
    try {
      return await this.#store.getStream(digest);
    } catch (error) {
      throw await this.#explained(digest, error);
    }
  }

  /** A file that is missing because it was damaged is told so. */
  async #explained(digest: string, error: unknown): Promise<unknown> {
    const missing = error instanceof ServiceError && error.code === 'STORED_FILE_MISSING';
    if (!missing || !(await this.#store.isSetAside(digest))) return error;
    return new ServiceError('STORED_FILE_CORRUPT', { digest });
  }

  async #ensureWhole(digest: string): Promise<void> {
    const file = await this.#store.head(digest);
    if (!file)
      throw await this.#explained(digest, new ServiceError('STORED_FILE_MISSING', { digest }));
    const time = file.putAt.getTime();
    if (this.#whole.get(digest) === time) return;
    if (!(await this.#isWhole(digest))) await this.#damaged(digest);
    this.#whole.delete(digest); // the latest stand at the end
    this.#whole.set(digest, time);
    for (const oldest of this.#whole.keys()) {
      if (this.#whole.size <= REMEMBERED) break;
      this.#whole.delete(oldest);
    }
  }

  async #isWhole(digest: string): Promise<boolean> {
    const hash = createHash('sha256');
    for await (const chunk of await this.#open(digest)) hash.update(chunk as Uint8Array);
    return `sha256:${hash.digest('hex')}` === digest;
  }

  /**
   * Bytes that came are not what they should be. Is the file damaged, or were they damaged on their way?
   *
   * @throws STORED_FILE_CORRUPT it was read again and is set aside now · STORAGE_UNAVAILABLE the file is whole
   */
  async #damaged(digest: string): Promise<never> {
    if (await this.#isWhole(digest))
      throw new ServiceError('STORAGE_UNAVAILABLE', { why: `${digest} was damaged on its way` });
    await this.#store.setAside(digest);
    throw new ServiceError('STORED_FILE_CORRUPT', { digest });
  }
}

/** The chunks of a file; the last one only where all of them together have the digest. */
async function* withheld(
  source: AsyncIterable<Uint8Array>,
  digest: string,
  onDamage: () => Promise<never>,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash('sha256');
  let last: Uint8Array | undefined;
  for await (const chunk of source) {
    hash.update(chunk);
    if (last) yield last;
    last = chunk;
  }
  if (`sha256:${hash.digest('hex')}` !== digest) await onDamage();
  if (last) yield last;
}

async function* joined(
  first: Iterable<Uint8Array>,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* first;
  yield* rest;
}
