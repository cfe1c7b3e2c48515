/** @file The rules that every entry of an archive meets, whatever the form, and the writing of it. */

import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';

import { ServiceError } from '../../src/contract/errors.ts';

export interface ArchiveLimits {
  /** Bytes of all files together. */
  readonly totalBytes: number;
  /** Bytes of one file. */
  readonly fileBytes: number;
  /** Files and folders. */
  readonly entries: number;
  /** Unpacked bytes / archive bytes, once `ratioFrom` bytes are unpacked. */
  readonly ratio: number;
  readonly ratioFrom: number;
}

export const DEFAULT_LIMITS: ArchiveLimits = {
  totalBytes: 50 * 10 ** 9,
  fileBytes: 4 * 10 ** 9,
  entries: 1_000_000,
  ratio: 100,
  ratioFrom: 64 * 10 ** 6,
};

/** What the archive says of a file beforehand. */
export interface Stated {
  readonly bytes: number;
  readonly crc32?: number;
}

const LONGEST_NAME = 1024;
const LONGEST_PART = 255;

/** One archive being unpacked: counts what comes out and checks each name. */
export class Unpacking {
  readonly #folder: string;
  readonly #archiveBytes: number;
  readonly #limits: ArchiveLimits;
  readonly #names = new Set<string>();
  #entries = 0;
  #bytes = 0;

  constructor(folder: string, archiveBytes: number, limits: ArchiveLimits) {
    this.#folder = folder;
    this.#archiveBytes = archiveBytes;
    this.#limits = limits;
  }

  /** Files written so far. */
  get files(): number {
    return this.#names.size;
  }

  /** Count an entry and check its name. Folders need no more: they come into being with their files. */
  enter(name: string): string {
    if (++this.#entries > this.#limits.entries)
      throw tooLarge('too many entries', `${this.#limits.entries} entries`);
    return checkedName(name);
  }

  /** Write one regular file. A stated size is checked before any byte is read, a checksum after the last. */
  async write(
    name: string,
    stated: Stated,
    ...content: readonly (Readable | Transform)[]
  ): Promise<void> {
    if (this.#names.has(name)) throw refused(`'${name}' comes twice`);
    this.#names.add(name);
    this.#checkSize(name, stated.bytes);
    const target = join(this.#folder, name);
    try {
      await mkdir(dirname(target), { recursive: true });
      const file = createWriteStream(target, { flags: 'wx', mode: 0o644 });
      await pipeline([...content, this.#counter(name, stated), file]);
    } catch (cause) {
      throw asRefusal(name, cause);
    }
  }

  #checkSize(name: string, bytes: number): void {
    const { fileBytes, totalBytes, ratio, ratioFrom } = this.#limits;
    if (bytes > fileBytes)
      throw tooLarge(`'${name}' has ${bytes} bytes or more`, `${fileBytes} bytes a file`);
    const total = this.#bytes + bytes;
    if (total > totalBytes) throw tooLarge('its files together', `${totalBytes} bytes`);
    if (total > ratioFrom && total > ratio * this.#archiveBytes)
      throw tooLarge(
        `it expands more than ${ratio} times`,
        `${ratio} times the archive's own ${this.#archiveBytes} bytes`,
      );
  }

  #counter(name: string, stated: Stated): Transform {
    let bytes = 0;
    let crc = 0;
    return new Transform({
      transform: (chunk: Uint8Array, _, done) => {
        bytes += chunk.length;
        if (stated.crc32 !== undefined) crc = crc32(chunk, crc);
        try {
          this.#checkSize(name, bytes);
          if (bytes > stated.bytes) throw new Error('it is longer than the archive states');
          done(null, chunk);
        } catch (error) {
          done(error as Error);
        }
      },
      flush: (done) => {
        this.#bytes += bytes;
        if (bytes < stated.bytes) done(new Error('it is shorter than the archive states'));
        else if (crc !== (stated.crc32 ?? 0)) done(new Error('its checksum differs'));
        else done();
      },
    });
  }
}

/** A relative posix path that stays inside the folder, without its trailing slash. */
function checkedName(name: string): string {
  const shown = JSON.stringify(name.slice(0, 120));
  const parts = name.replace(/\/+$/, '').split('/');
  while (parts[0] === '.' && parts.length > 1) parts.shift();
  if (name === '' || name.includes('\0') || name.length > LONGEST_NAME)
    throw refused(`an entry has the name ${shown}`);
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name) || name.includes('\\'))
    throw refused(`the name ${shown} is absolute or not written with '/'`);
  if (parts.includes('..')) throw refused(`the name ${shown} leads out of the archive`);
  if (parts.some((part) => Buffer.byteLength(part) > LONGEST_PART))
    throw refused(`the name ${shown} has a part of more than ${LONGEST_PART} bytes`);
  return parts.filter((part) => part !== '' && part !== '.').join('/');
}

export const refused = (why: string) => new ServiceError('ARCHIVE_INVALID', { why });
const tooLarge = (what: string, limit: string) =>
  new ServiceError('ARCHIVE_TOO_LARGE', { what, limit });

/** Failures of the file system that a name causes; of the archive's data; others (a full disk) stay as they are. */
function asRefusal(name: string, cause: unknown): unknown {
  if (cause instanceof ServiceError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR')
    return refused(`'${name}' is a file and a folder, or comes twice`);
  const system = (cause as NodeJS.ErrnoException).syscall !== undefined;
  return system ? cause : refused(`'${name}' is damaged (${message})`);
}
