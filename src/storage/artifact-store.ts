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

/**
 * Every method names a file by `sha256:<64 hex>`. What is listed is whole: nothing half-written is ever seen.
 * A conformance suite (test/conformance/artifact-store.ts) runs over each implementation.
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

  /** @throws STORED_FILE_MISSING */
  getStream(digest: string, range?: ByteRange): Promise<Readable>;

  /** Write the bytes to a path of this machine. @throws STORED_FILE_MISSING · STORAGE_FULL */
  fetchTo(digest: string, path: string): Promise<void>;

  head(digest: string): Promise<StoredFile | undefined>;

  /** @returns whether there was such a file */
  delete(digest: string): Promise<boolean>;

  list(): AsyncIterable<StoredFile>;

  /** An address from which anybody can read the file for some time; undefined: this store has none. */
  presign(digest: string, seconds: number): Promise<string | undefined>;

  /** Bytes that can still be written; undefined: not known. Throws where the store cannot be used. */
  free(): Promise<number | undefined>;
}
