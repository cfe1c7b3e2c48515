/** @file Files on a disk, by content: `<root>/blobs/ab/abcd…`, written under a temporary name first. */

import { randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import {
  access,
  copyFile,
  mkdir,
  open,
  opendir,
  rename,
  rm,
  stat,
  statfs,
  utimes,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';

import { type Digest, hexOf, isDigest } from '../contract/digest.ts';
import { ServiceError } from '../contract/errors.ts';
import type { ByteRange, PlainStore, PutOptions, Stored, StoredFile } from './artifact-store.ts';
import { hashFile, storageError, writeHashed } from './write-hashed.ts';

export class DiskStore implements PlainStore {
  readonly #blobs: string;
  readonly #incoming: string;
  readonly #corrupt: string;

  /** @param root folder of the store; made when it is first used */
  constructor(root: string) {
    this.#blobs = join(root, 'blobs');
    this.#incoming = join(root, 'incoming');
    this.#corrupt = join(root, 'corrupt');
  }

  async putFile(
    path: string,
    { move = false, ...options }: PutOptions & { readonly move?: boolean } = {},
  ): Promise<Stored> {
    if (!move) return this.putStream(createReadStream(path), options);
    const stored = await hashFile(path, options);
    await this.#publish(path, stored.digest);
    return stored;
  }

  async putStream(source: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<Stored> {
    await mkdir(this.#incoming, { recursive: true });
    const temporary = join(this.#incoming, randomUUID());
    const stored = await writeHashed(source, temporary, options);
    await this.#publish(temporary, stored.digest).catch(async (error) => {
      await rm(temporary, { force: true });
      throw error;
    });
    return stored;
  }

  async getStream(digest: string, range?: ByteRange): Promise<Readable> {
    const handle = await open(this.#path(digest), 'r').catch(missing(digest));
    return handle.createReadStream(range ? { start: range.start, end: range.end } : {});
  }

  async fetchTo(digest: string, path: string): Promise<void> {
    const from = this.#path(digest);
    await copyFile(from, path, constants.COPYFILE_FICLONE).catch((error) => {
      if (error.code === 'ENOENT' && error.path === from) return missing(digest)(error);
      throw storageError(error);
    });
  }

  async head(digest: string): Promise<StoredFile | undefined> {
    if (!isDigest(digest)) return undefined;
    const found = await stat(this.#path(digest)).catch(unlessMissing);
    return found && { digest, bytes: found.size, putAt: found.mtime };
  }

  async delete(digest: string): Promise<boolean> {
    if (!(await this.head(digest))) return false;
    await rm(this.#path(digest), { force: true });
    return true;
  }

  async *list(): AsyncGenerator<StoredFile> {
    for await (const name of filesBelow(this.#blobs)) {
      const file = await this.head(`sha256:${name}`);
      if (file) yield file;
    }
  }

  presign(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async free(): Promise<number> {
    await mkdir(this.#incoming, { recursive: true });
    await access(this.#incoming, constants.W_OK);
    const { bavail, bsize } = await statfs(this.#incoming);
    return bavail * bsize;
  }

  async setAside(digest: string): Promise<void> {
    await mkdir(this.#corrupt, { recursive: true });
    await rename(this.#path(digest), this.#aside(digest)).catch(unlessMissing);
  }

  async isSetAside(digest: string): Promise<boolean> {
    if (!isDigest(digest)) return false;
    return (await stat(this.#aside(digest)).catch(unlessMissing)) !== undefined;
  }

  #aside = (digest: string): string => join(this.#corrupt, hexOf(digest));

  /** Give a whole file its name. The same content is the same file: then only its time is renewed. */
  async #publish(temporary: string, digest: Digest): Promise<void> {
    const path = this.#path(digest);
    const now = new Date();
    try {
      const known = await utimes(path, now, now).then(() => true, unlessMissing);
      if (known) return await rm(temporary, { force: true });
      await mkdir(dirname(path), { recursive: true });
      await utimes(temporary, now, now);
      await rename(temporary, path);
      await syncFolder(dirname(path));
      await rm(this.#aside(digest), { force: true });
    } catch (error) {
      throw storageError(error);
    }
  }

  #path(digest: string): string {
    if (!isDigest(digest)) throw new ServiceError('STORED_FILE_MISSING', { digest });
    const hex = hexOf(digest);
    return join(this.#blobs, hex.slice(0, 2), hex);
  }
}

const unlessMissing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== 'ENOENT') throw error;
};

const missing =
  (digest: string) =>
  (error: NodeJS.ErrnoException): never => {
    if (error.code === 'ENOENT') throw new ServiceError('STORED_FILE_MISSING', { digest });
    throw error;
  };

async function* filesBelow(folder: string): AsyncGenerator<string> {
  const entries = await opendir(folder).catch(unlessMissing);
  if (!entries) return;
  for await (const entry of entries) {
    if (entry.isDirectory()) yield* filesBelow(join(folder, entry.name));
    else yield entry.name;
  }
}

/** The new name itself must survive a power cut. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}
