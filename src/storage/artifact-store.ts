/** @file Where bytes live: files named by the SHA-256 of their content. */

import type { Readable } from 'node:stream';

import type { Digest } from '../contract/digest.ts';

export interface Stored {
  readonly digest: Digest;
  readonly bytes: number;
}

export interface StoredFile extends Stored {
  /** When it was last put: another `put` of the same bytes renews it. */
  readonly putAt: Date;
}

export interface PutOptions {
  /** What the bytes must hash to. */
  readonly sha256?: string;
  /** Refuse more bytes than that. */
  readonly limit?: number;
}

/** First and last byte, both inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** How a presigned file presents itself. */
export interface PresignedFor {
  /** Value of Content-Disposition. */
  readonly disposition: string;
  readonly type: string;
}

/**
 * Every method names a file by `sha256:<64 hex>`. What is listed is whole: nothing half-written is ever seen.
 * What is read is held against its digest: a file that was damaged is an error and never a wrong file.
 * A conformance suite (test/conformance/artifact-store.test.ts) runs over each implementation.
 */
export interface ArtifactStore {
  /**
   * Keep the bytes of a file; the file stays as it is, or with `move` becomes the store's own.
   *
   * @throws DIGEST_MISMATCH · STORAGE_FULL
   */
  putFile(path: string, options?: PutOptions & { readonly move?: boolean }): Promise<Stored>;

  /**
   * Keep the bytes of a stream, hashed on the way. A stream that fails leaves nothing behind.
   *
   * @throws DIGEST_MISMATCH · PAYLOAD_TOO_LARGE · STORAGE_FULL
   */
  putStream(source: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<Stored>;

  /**
   * A damaged file gives its error here where it is small, and otherwise instead of its last bytes.
   *
   * @throws STORED_FILE_MISSING · STORED_FILE_CORRUPT
   */
  getStream(digest: string, range?: ByteRange): Promise<Readable>;

  /** Write the bytes to a path of this machine. @throws STORED_FILE_MISSING · STORED_FILE_CORRUPT · STORAGE_FULL */
  fetchTo(digest: string, path: string): Promise<void>;

  head(digest: string): Promise<StoredFile | undefined>;

  /** @returns whether there was such a file */
  delete(digest: string): Promise<boolean>;

  list(): AsyncIterable<StoredFile>;

  /**
   * An address from which anybody can read the file for some time, past this server; undefined: this store has none.
   * What is read there was not held against the digest: whoever reads it does that.
   */
  presign(digest: string, seconds: number, as: PresignedFor): Promise<string | undefined>;

  /** Bytes that can still be written; undefined: not known. Throws where the store cannot be used. */
  free(): Promise<number | undefined>;
}

/** A kind of storage by itself: `CheckedStore` holds what it gives against the digests. */
export interface PlainStore extends ArtifactStore {
  /** Take a damaged file out of the store, for people to look at. Then it is missing. */
  setAside(digest: string): Promise<void>;

  /** Whether a file of this digest was set aside, and never put again. */
  isSetAside(digest: string): Promise<boolean>;
}
