/** @file Files that arrive piece by piece, in a bucket: `uploads/<id>/<offset>`, an object per piece. */

import { randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { ServiceError } from '../contract/errors.ts';
import type { PutOptions } from './artifact-store.ts';
import type { Bucket } from './bucket.ts';
import { type DirectPart, type OnKept, type PartialFiles, PIECE_BYTES } from './partial-files.ts';
import { type Upload, Uploads } from './uploads.ts';
import { storageError } from './write-hashed.ts';

/** S3 takes at most 5 GiB at once. */
const DIRECT_BYTES = 2 ** 30;

/** Offsets have so many digits that names sort as numbers. */
const DIGITS = 15;

const keyOf = (id: string, offset: number) =>
  `uploads/${id}/${String(offset).padStart(DIGITS, '0')}`;

/**
 * A piece is collected on this machine and put when it is large enough, or when the request ends. The row of pieces
 * is followed from 0 by their sizes: what lies between was replaced, and does not count.
 */
export class S3Partials implements PartialFiles {
  readonly #bucket: Bucket;
  readonly #uploads: Uploads;
  readonly #incoming: string;

  constructor(bucket: Bucket, dataDir: string) {
    this.#bucket = bucket;
    this.#uploads = new Uploads(dataDir);
    this.#incoming = join(dataDir, 'incoming');
  }

  async write(
    id: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onKept: OnKept,
  ): Promise<void> {
    await mkdir(this.#incoming, { recursive: true });
    const path = join(this.#incoming, randomUUID());
    const file = await open(path, 'ax');
    let [at, bytes] = [offset, 0];
    const keep = async () => {
      if (bytes === 0) return;
      await this.#bucket.putFile(keyOf(id, at), path, bytes);
      at += bytes;
      bytes = 0;
      await onKept(at);
      await file.truncate(0);
    };
    try {
      for await (const chunk of source) {
        await file.appendFile(chunk); // all of it: a single write may take less
        bytes += chunk.length;
        if (bytes >= PIECE_BYTES) await keep();
      }
      await keep();
    } catch (error) {
      await keep().catch(() => undefined); // the first error is told
      throw storageError(error);
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
  }

  async size(id: string): Promise<number> {
    const row = await this.#row(id);
    return row.reduce((sum, piece) => sum + piece.bytes, 0);
  }

  async whole(id: string, length: number, options: PutOptions): Promise<Upload> {
    const row = await this.#row(id, length);
    return this.#uploads.receive(this.#bytesOf(row), options);
  }

  async direct(id: string, bytes: number, seconds: number): Promise<readonly DirectPart[]> {
    const parts: DirectPart[] = [];
    for (let offset = 0; offset < bytes; offset += DIRECT_BYTES) {
      const size = Math.min(DIRECT_BYTES, bytes - offset);
      const url = await this.#bucket.presignPut(keyOf(id, offset), size, seconds);
      parts.push({ url, offset, bytes: size });
    }
    return parts;
  }

  async remove(id: string): Promise<void> {
    for await (const { key } of this.#bucket.list(`uploads/${id}/`)) await this.#bucket.delete(key);
  }

  async *ids(): AsyncGenerator<string> {
    let last = '';
    for await (const { key } of this.#bucket.list('uploads/')) {
      const id = key.split('/')[1] ?? '';
      if (id !== last) yield id;
      last = id;
    }
  }

  async #row(
    id: string,
    length = Number.POSITIVE_INFINITY,
  ): Promise<{ readonly key: string; readonly bytes: number }[]> {
    const row: { key: string; bytes: number }[] = [];
    let end = 0;
    for await (const { key, bytes } of this.#bucket.list(`uploads/${id}/`)) {
      if (key !== keyOf(id, end) || end >= length) continue;
      row.push({ key, bytes });
      end += bytes;
    }
    return row;
  }

  async *#bytesOf(row: readonly { readonly key: string; readonly bytes: number }[]) {
    for (const { key, bytes } of row) {
      const { body } = await this.#bucket.get(key);
      let came = 0;
      for await (const chunk of body) {
        came += chunk.length;
        yield chunk as Uint8Array;
      }
      if (came !== bytes)
        throw new ServiceError('STORAGE_UNAVAILABLE', { why: 'a piece of an upload broke off' });
    }
  }
}
