/** @file Reading tar files, plain or gzipped. */

import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';

import { ServiceError } from '../../src/contract/errors.ts';
import { refused, type Unpacking } from './unpacking.ts';

const CHECKSUM = { at: 148, length: 8 } as const;

/** Whether 512 bytes are a tar header: their checksum holds (its own field counting as blanks). */
export function isTarHeader(head: Uint8Array): boolean {
  if (head.length < 512) return false;
  const field = head.subarray(CHECKSUM.at, CHECKSUM.at + CHECKSUM.length);
  const stated = Number.parseInt(Buffer.from(field).toString('latin1').replace(/\0.*/, ''), 8);
  const blanks = CHECKSUM.length * 0x20;
  const sum = head.reduce((a, b) => a + b, 0) - field.reduce((a, b) => a + b, 0) + blanks;
  return stated === sum;
}

export async function extractTar(
  file: string,
  gzipped: boolean,
  unpacking: Unpacking,
): Promise<void> {
  const entries = extract();
  const source = createReadStream(file);
  const feeding = gzipped ? pipeline(source, createGunzip(), entries) : pipeline(source, entries);
  feeding.catch(() => {}); // the loop below meets the same failure
  try {
    for await (const entry of entries) {
      const name = unpacking.enter(entry.header.name);
      if (isFile(entry.header, name)) {
        // As an iterator: Node's pipeline does not see when a streamx stream breaks off.
        const content = Readable.from(entry, { objectMode: false });
        await unpacking.write(name, { bytes: entry.header.size ?? 0 }, content);
      } else entry.resume();
    }
    await feeding;
  } catch (cause) {
    source.destroy();
    throw cause instanceof ServiceError || (cause as NodeJS.ErrnoException).syscall !== undefined
      ? cause
      : refused(`the tar is damaged (${(cause as Error).message})`);
  }
}

function isFile({ type }: Header, name: string): boolean {
  if (type === 'file' || type === 'contiguous-file') return true;
  if (type === 'directory') return false;
  throw refused(`'${name}' is a ${type ?? 'special file'}; only regular files are taken`);
}
