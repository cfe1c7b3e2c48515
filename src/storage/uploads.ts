/** @file Uploads on their way: whole files of this machine that have no name in the store yet. */

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { Digest } from '../contract/digest.ts';
import type { PutOptions } from './artifact-store.ts';
import { writeHashed } from './write-hashed.ts';

export interface Upload {
  readonly path: string;
  readonly digest: Digest;
  readonly bytes: number;
  /** Delete it, unless the store has taken it over. */
  discard(): Promise<void>;
}

const DAY = 86_400_000;

export class Uploads {
  readonly #folder: string;

  /** @param dataDir the store's own folder, so that taking an upload over is a rename */
  constructor(dataDir: string) {
    this.#folder = join(dataDir, 'incoming');
  }

  /**
   * Receive a stream. One that breaks off, or is not what it should be, leaves nothing behind.
   *
   * @throws PAYLOAD_TOO_LARGE · DIGEST_MISMATCH · STORAGE_FULL
   */
  async receive(source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<Upload> {
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, randomUUID());
    const stored = await writeHashed(source, path, options);
    return { ...stored, path, discard: () => rm(path, { force: true }) };
  }

  /** Remove what a server that was killed has left: nothing is under way for longer than a day. */
  async sweep(now = Date.now()): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const path = join(this.#folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found && now - found.mtimeMs > DAY) await rm(path, { recursive: true, force: true });
    }
  }
}
