/** @file Files that arrive piece by piece, on a disk: `<root>/uploads/<id>`, each one file that grows. */

import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

import type { PutOptions } from './artifact-store.ts';
import { type OnKept, type PartialFiles, PIECE_BYTES } from './partial-files.ts';
import type { Upload } from './uploads.ts';
import { hashFile, storageError } from './write-hashed.ts';

export class DiskPartials implements PartialFiles {
  readonly #folder: string;
  readonly #incoming: string;

  /** @param root folder of the store, so that taking a file over is a rename */
  constructor(root: string) {
    this.#folder = join(root, 'uploads');
    this.#incoming = join(root, 'incoming');
  }

  async write(
    id: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onKept: OnKept,
  ): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, id);
    const file = await open(path, 'r+').catch(() => open(path, 'w+'));
    let [at, kept] = [offset, offset];
    const keep = async () => {
      if (at === kept) return;
      await file.datasync();
      kept = at;
      await onKept(at);
    };
    try {
      await file.truncate(offset);
      for await (const chunk of source) {
        for (let done = 0; done < chunk.length; ) {
          const { bytesWritten } = await file.write(chunk, done, chunk.length - done, at);
          done += bytesWritten;
          at += bytesWritten;
        }
        if (at - kept >= PIECE_BYTES) await keep();
      }
      await keep();
    } catch (error) {
      await keep().catch(() => undefined); // the first error is told
      throw storageError(error);
    } finally {
      await file.close();
    }
  }

  async size(id: string): Promise<number> {
    return (await stat(join(this.#folder, id)).catch(() => undefined))?.size ?? 0;
  }

  /** Under a second name: the store takes that one over, or it is discarded, and the upload can be taken up again. */
  async whole(id: string, _length: number, options: PutOptions): Promise<Upload> {
    await mkdir(this.#incoming, { recursive: true });
    const path = join(this.#incoming, randomUUID());
    await link(join(this.#folder, id), path);
    await utimes(path, new Date(), new Date()); // nothing new is swept
    const discard = () => rm(path, { force: true });
    try {
      return { path, ...(await hashFile(path, options)), discard };
    } catch (error) {
      await discard();
      throw error;
    }
  }

  direct(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async remove(id: string): Promise<void> {
    await rm(join(this.#folder, id), { force: true });
  }

  async *ids(): AsyncGenerator<string> {
    yield* await readdir(this.#folder).catch(() => []);
  }
}
