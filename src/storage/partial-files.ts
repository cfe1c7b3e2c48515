/** @file Files that arrive piece by piece, over many requests and perhaps many servers. */

import type { PutOptions } from './artifact-store.ts';
import type { Upload } from './uploads.ts';

/** A piece that a client sends to the storage itself. */
export interface DirectPart {
  readonly url: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Longest run of bytes that a killed server can lose. */
export const PIECE_BYTES = 64 * 2 ** 20;

/** How far the file is kept, each time that is further. It may throw: then nothing more is written. */
export type OnKept = (offset: number) => Promise<void>;

/** Files are named by the ids of their uploads. Who may write when is decided by whoever calls. */
export interface PartialFiles {
  /**
   * Append the bytes of a stream. What was written behind `offset` before is dropped. A stream that fails has left
   * what came before; the error comes all the same.
   *
   * @throws STORAGE_FULL · STORAGE_UNAVAILABLE · the error of the source or of `onKept`
   */
  write(
    id: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onKept: OnKept,
  ): Promise<void>;

  /** Bytes that are there, in one row from the first. */
  size(id: string): Promise<number>;

  /**
   * The file as one file of this machine, hashed. It stays here too, until it is removed.
   *
   * @param length bytes that it has
   * @throws DIGEST_MISMATCH · STORAGE_FULL
   */
  whole(id: string, length: number, options: PutOptions): Promise<Upload>;

  /** Where clients put the pieces of a file themselves; undefined: this storage takes none. */
  direct(id: string, bytes: number, seconds: number): Promise<readonly DirectPart[] | undefined>;

  remove(id: string): Promise<void>;

  /** Of everything that lies there. */
  ids(): AsyncIterable<string>;
}
